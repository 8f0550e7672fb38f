"""What robots have in common: where they are, and the loop that owns them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from robosac.settings.common import Section, TrainConfig


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
    position_tolerance_rad: Annotated[
        float,
        Meta(ge=0, le=1, description="rad a joint may be measured past a limit; limbs give way"),
    ] = 0.6
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
        if not self.hold_after_s < self.damp_after_s < self.stop_after_s:
            raise ValueError(
                f"hold_after_s {self.hold_after_s}, damp_after_s {self.damp_after_s} and"
                f" stop_after_s {self.stop_after_s} must rise in this order"
            )


class RobotSection(Section, frozen=True):
    """Which robot, and where it is."""

    address: Annotated[
        str, Meta(min_length=1, description="twin://NAME, or serial for the robot file's ports")
    ] = "twin://minitaur"
    file: Annotated[str | None, Meta(description="path of the robot file; null: nominal")] = None
    calibration: Annotated[
        str | None, Meta(description="path of the calibration file; null: nominal")
    ] = None


class RobotConfig(TrainConfig, frozen=True):
    """A robot, or its twin."""

    robot: RobotSection = RobotSection()
    executor: ExecutorSection = ExecutorSection()


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
