"""What a run needs of a robot, real or twin, once it is reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from robosac.clock import Clock
from robosac.robots.claw import ClawDevices
from robosac.robots.eye import Camera
from robosac.robots.minitaur import Devices

if TYPE_CHECKING:
    # The executor's process reaches its robot without anything of learning.
    from robosac.stage import ClockState, Renderer
    from robosac.tasks.operator import Attendant, Operator  # noqa: F401 (named in strings)

DevicesT = TypeVar("DevicesT", Devices, ClawDevices)
OperatorT = TypeVar("OperatorT", bound="Operator")


@dataclass(frozen=True)
class Reached(Generic[DevicesT, OperatorT]):
    """A robot's devices, and what there is around them."""

    devices: DevicesT
    clock: Clock
    operator: OperatorT
    render: Renderer | None = None
    """(width, height) -> uint8 picture, where there is something to see."""
    clock_state: ClockState | None = None
    """The virtual clock of a twin."""
    warnings: tuple[str, ...] = ()
    """What works, but not as well as it should; one line each."""
    ports: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    """USB serial number of each port, by its name in the robot file; None: it has none."""
    overhead: Camera | None = None
    """The camera above the quadruped, where one was opened; the devices close it."""


Connection = Reached[Devices, "Attendant"]
"""The quadruped."""
ClawConnection = Reached[ClawDevices, "Attendant"]
"""The hand."""
