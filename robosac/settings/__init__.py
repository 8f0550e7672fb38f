"""The frozen tree of every setting. Defaults are here; presets and overrides replace them."""

from robosac.settings.claw import ClawConfig, ClawTwinSection, TurnSection
from robosac.settings.common import (
    EvaluationSection,
    GymConfig,
    SacSection,
    Section,
    TrainConfig,
)
from robosac.settings.minitaur import MinitaurConfig, RewardSection, TwinSection, WalkSection
from robosac.settings.robot import (
    ExecutorSection,
    FlightSection,
    RobotConfig,
    RobotSection,
    StopSection,
)

__all__ = [
    "ClawConfig",
    "ClawTwinSection",
    "EvaluationSection",
    "ExecutorSection",
    "FlightSection",
    "GymConfig",
    "MinitaurConfig",
    "RewardSection",
    "RobotConfig",
    "RobotSection",
    "SacSection",
    "Section",
    "StopSection",
    "TrainConfig",
    "TurnSection",
    "TwinSection",
    "WalkSection",
]
