"""What robots have in common: where they are, and the loop that owns them."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from msgspec import Meta

from robosac.settings.common import Section, TrainConfig

SOFT_ZONE_RAD = math.radians(5.0)
"""Width of the soft zone before a stop, where nothing else is said (reference hazard 4)."""


class ExecutorSection(Section, frozen=True):
    """The loop that owns the robot."""

    period_s: Annotated[float, Meta(gt=0, le=0.1, description="s between ticks")] = 0.005
    hold_after_s: Annotated[
        float, Meta(gt=0, le=10, description="s without a request until the robot holds still")
    ] = 0.1
    damp_after_s: Annotated[
        float, Meta(gt=0, le=30, description="s without a request until it only damps")
    ] = 0.5
    stop_after_s: Annotated[
        float, Meta(gt=0, le=60, description="s without a request until torque is off")
    ] = 2.0
    silence_s: Annotated[
        float,
        Meta(
            gt=0,
            le=10,
            description="s that an actor in another process may not look until the robot holds"
            " still, however old its request",
        ),
    ] = 0.08
    position_tolerance_rad: Annotated[
        float,
        Meta(ge=0, le=1, description="rad a joint may be measured past a limit; limbs give way"),
    ] = 0.6
    soft_zone_rad: Annotated[
        float | None,
        Meta(
            description="rad before a stop where joints go at most a quarter of their speed toward"
            " it; null: 0.087, but 0 on a twin"
        ),
    ] = None
    keep_out: Annotated[
        bool | None,
        Meta(
            description="whether fingers stay out of one another, and front legs from under the"
            " body; null: yes, but not on a twin"
        ),
    ] = None
    low_pass_hz: Annotated[
        float | None,
        Meta(description="Hz, cut-off of a filter before the limiter; null: no filter"),
    ] = None
    process: Annotated[
        Literal["auto", "own", "in-process"],
        Meta(description="where it runs; auto: its own process for serial, in-process for a twin"),
    ] = "auto"
    realtime_priority: Annotated[
        int, Meta(ge=0, le=99, description="SCHED_FIFO priority of its own process; 0: ordinary")
    ] = 50
    answer_within_s: Annotated[
        float, Meta(ge=0.1, le=10, description="s its own process may be silent until killed")
    ] = 0.5

    def __post_init__(self) -> None:
        if self.soft_zone_rad is not None and not 0 <= self.soft_zone_rad <= 1:
            raise ValueError(f"soft_zone_rad must lie in [0, 1], got {self.soft_zone_rad}")
        most = 0.25 / self.period_s
        if self.low_pass_hz is not None and not 0 < self.low_pass_hz < most:
            raise ValueError(
                f"low_pass_hz must lie in (0, {most:g}), a quarter of the executor's rate,"
                f" got {self.low_pass_hz}"
            )
        if not self.hold_after_s < self.damp_after_s < self.stop_after_s:
            raise ValueError(
                f"hold_after_s {self.hold_after_s}, damp_after_s {self.damp_after_s} and"
                f" stop_after_s {self.stop_after_s} must rise in this order"
            )

    def soft_zone(self, usual: bool) -> float:
        """Width of the soft zone, rad; `usual`: whether there is one if nothing is said."""
        if self.soft_zone_rad is not None:
            return self.soft_zone_rad
        return SOFT_ZONE_RAD if usual else 0.0

    def keeps_out(self, usual: bool) -> bool:
        """Whether regions are kept out of; `usual`: if nothing is said."""
        return usual if self.keep_out is None else self.keep_out


class FlightSection(Section, frozen=True):
    """The flight recorder: the newest seconds, written whole when a fault is latched."""

    record: Annotated[
        Literal["auto", "on", "off"],
        Meta(description="auto: on a robot, not on a twin; on; off"),
    ] = "auto"
    seconds: Annotated[float, Meta(gt=0, le=600, description="s kept, all at full rate")] = 30.0
    tail_s: Annotated[
        float, Meta(ge=0, le=5, description="s recorded after a fault before it is written")
    ] = 0.3
    pictures: Annotated[int, Meta(ge=0, le=1000, description="newest camera pictures kept")] = 30
    files: Annotated[
        int, Meta(ge=1, le=1000, description="recordings kept; the oldest are removed")
    ] = 20
    at_close: Annotated[bool, Meta(description="write one at the end too, fault or not")] = False
    folder: Annotated[
        str | None, Meta(description="folder of the recordings; null: flight, in the run folder")
    ] = None


class RobotSection(Section, frozen=True):
    """Which robot, and where it is."""

    address: Annotated[
        str, Meta(min_length=1, description="twin://NAME, or serial for the robot file's ports")
    ] = "twin://minitaur"
    file: Annotated[str | None, Meta(description="path of the robot file; null: nominal")] = None
    calibration: Annotated[
        str | None, Meta(description="path of the calibration file; null: nominal")
    ] = None
    calibration_days: Annotated[
        float, Meta(gt=0, description="days after which a measured calibration is stale")
    ] = 180.0
    picture: Annotated[
        str | None,
        Meta(description="path of the reference that pictures are compared with; null: none"),
    ] = None


class KeepaliveSection(Section, frozen=True):
    """Remote endpoints without which the robot does not move; see `robosac keepalive`."""

    endpoints: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=40)], ...],
        Meta(description="names of the endpoints that must be alive"),
    ] = ()
    address: Annotated[
        str, Meta(pattern=r"^[0-9.]+:[0-9]{1,5}$", description="IPv4 address and UDP port")
    ] = "127.0.0.1:47815"
    key: Annotated[
        str | None, Meta(description="path of the key, mode 0600; needed with endpoints")
    ] = None
    settle_s: Annotated[
        float, Meta(ge=0, le=4, description="s of damping after a loss, before torque is cut")
    ] = 0.3

    def __post_init__(self) -> None:
        if self.endpoints and self.key is None:
            raise ValueError("keepalive.endpoints need keepalive.key, a path")


class StopSection(Section, frozen=True):
    """Who may stop the robot, and what outlives a stop."""

    fault_journal: Annotated[
        bool | None,
        Meta(description="whether latched faults survive a restart; null: with serial only"),
    ] = None
    state_folder: Annotated[
        str | None, Meta(description="folder of the fault journal; null: by the XDG standard")
    ] = None
    button: Annotated[
        Annotated[str, Meta(pattern=r"^(cts|dsr|dcd):.+$|^gpio:.+:[0-9]+$")] | None,
        Meta(description="stop button: cts:PORT, dsr:PORT, dcd:PORT or gpio:CHIP:LINE"),
    ] = None
    console_key: Annotated[
        bool, Meta(description="whether space or s on the console stops the robot")
    ] = True
    keepalive: KeepaliveSection = KeepaliveSection()


class RobotConfig(TrainConfig, frozen=True):
    """A robot, or its twin."""

    robot: RobotSection = RobotSection()
    executor: ExecutorSection = ExecutorSection()
    stop: StopSection = StopSection()
    flight: FlightSection = FlightSection()


def check_periods(control_period_s: float, period_s: float) -> None:
    """Refuse a control period that is not so many executor ticks.

    Raises:
        ValueError: it is not a whole multiple.
    """
    ratio = control_period_s / period_s
    if abs(ratio - round(ratio)) > 1e-6 or ratio < 1:
        raise ValueError(
            f"task.control_period_s {control_period_s} is not a whole multiple of"
            f" executor.period_s {period_s}"
        )
