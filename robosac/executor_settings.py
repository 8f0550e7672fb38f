"""The executor's settings for each robot, from the configuration."""

from __future__ import annotations

from robosac.arming import ArmingSettings
from robosac.requests import ExecutorSettings
from robosac.robots.claw_file import ClawFile
from robosac.settings import ExecutorSection
from robosac.watch import WatchSettings

RAMP_S = 0.3
"""Ten servos confirm one by one, a question a tick, that torque and watchdog are on."""
UNDRIVEN_TICKS = 50
"""So many ticks may pass until a servo that was taken hold of again has said so."""
OVERSPEED_FACTOR = 1.0
"""Goals may run ahead faster than any servo of this kind turns; what is measured may not."""
SETTLE_S = 0.05
"""A hand has nothing to fall from: torque goes soon after the last command."""


def minitaur_settings(section: ExecutorSection) -> ExecutorSettings:
    """For the quadruped."""
    return ExecutorSettings(
        hold_after=section.hold_after_s,
        damp_after=section.damp_after_s,
        stop_after=section.stop_after_s,
        watch=WatchSettings(position_tolerance=section.position_tolerance_rad),
    )


def claw_settings(section: ExecutorSection, file: ClawFile) -> ExecutorSettings:
    """For the hand."""
    return ExecutorSettings(
        hold_after=section.hold_after_s,
        damp_after=section.damp_after_s,
        stop_after=section.stop_after_s,
        settle_s=SETTLE_S,
        arming=ArmingSettings(
            ramp_s=RAMP_S, voltage_min=file.supply_v.lower, voltage_max=file.supply_v.upper
        ),
        watch=WatchSettings(
            position_tolerance=section.position_tolerance_rad,
            overspeed_factor=OVERSPEED_FACTOR,
            undriven_ticks=UNDRIVEN_TICKS,
        ),
    )
