"""What a task needs of whatever moves the robot: the executor, here or in a process of its own."""

from __future__ import annotations

from typing import Protocol

from robosac.hal import BoolArray, FloatArray, Limits, RobotState
from robosac.latch import LatchedFault
from robosac.states import SafetyState
from robosac.ticks import Statistics, Tick


class Motion(Protocol):
    """Every command passes the limiter; every error leaves torque off.

    `state` and `commanded_position` are those of the last tick that was returned, so that what is
    computed from them belongs together; `safety` and `faults` are those of the present.
    """

    @property
    def period(self) -> float:
        """Time between two ticks, s."""
        ...

    @property
    def limits(self) -> Limits:
        """What the joints may be asked to do."""
        ...

    @property
    def safety(self) -> SafetyState:
        """The present safety state."""
        ...

    @property
    def state(self) -> RobotState | None:
        """What the last tick learned; None before the first."""
        ...

    @property
    def faults(self) -> tuple[LatchedFault, ...]:
        """Latched faults, oldest first."""
        ...

    @property
    def commanded_position(self) -> FloatArray:
        """The last position commanded, rad; where the robot was armed before the first tick."""
        ...

    def request(self, goal: FloatArray, ramp: float = 0.0) -> None:
        """Set the newest goal (rad), to be reached on the straight way in `ramp` (s).

        Raises:
            NotArmedError: the robot is neither ACTIVE nor HOLD.
            ValueError: `ramp` is negative or not finite.
        """
        ...

    def free(self, joints: BoolArray) -> None:
        """Let go of exactly `joints`, shape (n,), and take hold of the others where they are.

        Raises:
            NotArmedError: the robot is neither ACTIVE nor HOLD.
            ValueError: not a boolean vector of the robot's joints.
        """
        ...

    def tick(self) -> Tick:
        """Wait for the next tick that knows of the newest request, and return it.

        Raises whatever went wrong, with torque off.
        """
        ...

    def arm(self) -> None:
        """Configure and check the robot, then raise its stiffness where it stands.

        Raises:
            ArmingError: a check failed; the message names it and torque is off.
            NotArmedError: the robot is armed already.
        """
        ...

    def disarm(self) -> None:
        """Damp briefly, then switch torque off and read it back.

        Raises:
            RobotError: a motor was not read back as off.
        """
        ...

    def clear(self, name: str) -> None:
        """Clear the latched faults called `name`.

        Raises:
            NotArmedError: no such fault is latched, or its cause is still there.
        """
        ...

    def close(self) -> None:
        """Torque off, then release the devices; safe to call twice.

        Raises:
            RobotError: a motor was not read back as off.
        """
        ...

    def statistics(self) -> Statistics:
        """Counts since the executor was built."""
        ...
