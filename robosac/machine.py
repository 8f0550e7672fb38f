"""The safety state of one executor: its latched faults, its gate, and torque off with read back.

Nothing else changes the state. Torque goes off before anything is written down.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from robosac.errors import NotArmedError, RobotError
from robosac.estop import EStopGate
from robosac.hal import Fault
from robosac.latch import FaultLatch, Journal
from robosac.states import SafetyState, allowed

NOT_DURABLE: Final = "fault_not_durable"
"""Name of the fault that the journal could not be written."""
POWERED: Final = (SafetyState.ACTIVE, SafetyState.HOLD, SafetyState.DAMPED)
"""States in which the motors may push, arming aside."""


class Stoppable(Protocol):
    """What of a `robosac.hal.Robot` it takes to switch torque off."""

    def stop(self) -> bool:
        """Switch torque off; True only when every motor was read back as not driving."""
        ...


def _nothing_lasts(name: str) -> None:
    """No cause is looked for."""


class SafetyMachine:
    """Goes only ways that `states.TRANSITIONS` knows; begins in FAULT with faults that were kept.

    Args:
        robot: whose torque it switches off.
        now: clock time, s.
        gate: the e-stop gate.
        journal: where faults outlive the process; None: nowhere.
        entered: told every state that is entered.
        latched: told every fault that is latched, maybe not for the first time, with the time, s.
        refuse_lasting: raises NotArmedError where the cause of the fault of that name is still
            there.
    """

    def __init__(
        self,
        robot: Stoppable,
        now: Callable[[], float],
        gate: EStopGate,
        journal: Journal | None,
        entered: Callable[[SafetyState], None],
        latched: Callable[[Fault, float], None],
        refuse_lasting: Callable[[str], None] = _nothing_lasts,
    ) -> None:
        self._robot, self._now, self._gate, self._entered = robot, now, gate, entered
        self._latched, self._refuse_lasting = latched, refuse_lasting
        self.faults = FaultLatch(journal)
        self._state = SafetyState.FAULT if self.faults.entries else SafetyState.DISARMED
        self._torque_off_since: float | None = None
        self._orders: deque[str] = deque()

    @property
    def state(self) -> SafetyState:
        """The present safety state."""
        return self._state

    @property
    def torque_off_since(self) -> float | None:
        """Clock time (s) at which every motor was read back as off; None once arming began since.

        Any thread may read it: if it is set after the gate was tripped, no motor will be driven.
        """
        return self._torque_off_since

    def enter(self, state: SafetyState) -> None:
        """Go to `state`; staying is no entry. Raises RuntimeError where the table has no way."""
        if state is self._state:
            return
        if not allowed(self._state, state):
            raise RuntimeError(f"no way from {self._state.value} to {state.value}")
        if state is SafetyState.ARMING:
            self._torque_off_since = None
        self._state = state
        self._entered(state)

    def latch(self, fault: Fault) -> None:
        """Enter FAULT and remember why; the caller cuts torque next, which writes it down."""
        self.enter(SafetyState.FAULT)
        now = self._now()
        self.faults.add(fault, now)
        self._latched(fault, now)

    def fail(self, error: BaseException) -> None:
        """Latch `error`, then switch torque off; an error of the stop itself is raised on."""
        self.latch(Fault("exception", type(error).__name__, str(error) or "no text"))
        self.cut()

    def cut(self) -> bool:
        """Torque off with read back; False, and a latched fault, when it is not confirmed."""
        if self._state is not SafetyState.FAULT:
            self.enter(SafetyState.DISARMED)
        self._torque_off_since = None
        try:
            confirmed = self._robot.stop()
            if confirmed:
                self._torque_off_since = self._now()
            else:
                self.latch(Fault("stop_unconfirmed", "robot", "a motor was not read back as off"))
        finally:
            self._keep()
        return confirmed

    def check_gate(self) -> None:
        """Cut torque if the gate has tripped, until it is read back as off."""
        gate = self._gate
        if not gate.look() and gate.settling and self._state not in POWERED:
            # There is nothing to be damped first.
            gate.trip(gate.settling)
        if gate.tripped and ("estop" not in self.faults or self._torque_off_since is None):
            self.latch(Fault("estop", "gate", gate.reason))
            self.cut()

    def clear(self, name: str) -> None:
        """Clear the latched faults called `name`; the last one leads to DISARMED, never further.

        Raises:
            NotArmedError: no such fault is latched, or its cause is still there.
            RobotError: it cannot be written down; they stay latched.
        """
        if name not in self.faults:
            latched = ", ".join(self.faults.names) or "none"
            raise NotArmedError(f"no fault {name!r} is latched; latched are: {latched}")
        if name == "estop" and self._gate.tripped:
            raise NotArmedError("the e-stop is still tripped; reset the gate first")
        self._refuse_lasting(name)
        if name == "stop_unconfirmed" and not self._robot.stop():
            raise NotArmedError("torque is still not read back as off; cut the motor supply")
        try:
            self.faults.clear(name)
        except OSError as error:
            raise RobotError(
                f"fault {name!r} stays latched: the fault journal cannot be written ({error})"
            ) from error
        if not self.faults.entries:
            self.enter(SafetyState.DISARMED)

    def order_clear(self, name: str) -> None:
        """Have `carry_out_orders` clear the faults called `name`; for other threads."""
        self._orders.append(name)

    def carry_out_orders(self) -> None:
        """Clear what other threads asked for; what cannot be cleared stays latched."""
        while self._orders:
            with contextlib.suppress(NotArmedError, RobotError):
                self.clear(self._orders.popleft())

    def _keep(self) -> None:
        """Write latched faults down; a disk that refuses is a fault itself."""
        try:
            self.faults.save()
        except OSError as error:
            self.latch(Fault(NOT_DURABLE, "journal", f"{error}; free or mend the disk"))
