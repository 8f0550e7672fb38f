"""The executor's settings for each robot, from the configuration."""

from __future__ import annotations

from dataclasses import replace

from robosac.arming import ArmingSettings
from robosac.finger_keepout import FingersApart
from robosac.keepout import FrontLegsForward
from robosac.recovery import RecoverySettings
from robosac.requests import ExecutorSettings
from robosac.robots.claw_file import ClawFile
from robosac.robots.robot_file import RobotFile
from robosac.robots.sections import SupplyRange
from robosac.robots.servos import stiffness_n_m_per_rad
from robosac.settings import ClawConfig, MinitaurConfig
from robosac.settings.robot import ExecutorSection
from robosac.stage import is_twin
from robosac.watch import WatchSettings

RAMP_S = 0.3
"""Ten servos confirm one by one, a question a tick, that torque and watchdog are on."""
UNDRIVEN_TICKS = 50
"""So many ticks may pass until a servo that was taken hold of again has said so."""
OVERSPEED_FACTOR = 1.0
"""Goals may run ahead faster than any servo of this kind turns; what is measured may not."""
SOFT_OVERSPEED_FACTOR = 1.5
"""For a twin with ROBEL's soft joints: springs without a gear, which swing past their targets."""
POSITION_NOISE = 0.05
"""rad: one count is 0.0015, and an answer is some 4 ms older than told, at 8 rad/s."""
IDENTICAL_TICKS = 32
"""0.16 s: the quadruped's encoders are read finer than their noise, and never stand still."""
IMPOSSIBLE_FACTOR = 2.0
"""Below what the bus believes at all (`drivers.dynamixel.readings`), so that it is told at once."""
VOLTAGE_AVERAGE_S = 0.2
"""Each servo's supply is looked at every 0.8 s, so that together it is found out within 1 s."""
SETTLE_S = 0.05
"""A hand has nothing to fall from: torque goes soon after the last command."""


def minitaur_settings(config: MinitaurConfig, file: RobotFile) -> ExecutorSettings:
    """For the quadruped."""
    section = config.executor
    # The published results, and ours, are from twins without soft zones and keep-outs.
    real = not is_twin(config.robot.address, "minitaur")
    common = _common(section, file.supply_v, real)
    keep_out: FrontLegsForward | None = None
    if section.keeps_out(usual=real):
        keep_out = FrontLegsForward(config.task.fold_angle_rad, len(file.joint_names))
    return replace(
        common,
        watch=replace(common.watch, identical_ticks=IDENTICAL_TICKS),
        keep_out=keep_out,
        # Whoever asks: a robot that a person sets up is never armed as it lies.
        recovery=RecoverySettings() if config.task.reset == "self" else None,
    )


def claw_settings(config: ClawConfig, file: ClawFile) -> ExecutorSettings:
    """For the hand."""
    section = config.executor
    real = not is_twin(config.robot.address, "claw")
    soft = not real and config.twin.servos == "robel"
    common = _common(section, file.supply_v, real)
    keep_out: FingersApart | None = None
    # As for the quadruped; on the twin, fingers may lean on one another.
    if section.keeps_out(usual=real):
        keep_out = FingersApart(joints=len(file.joint_names))
    return replace(
        common,
        settle_s=SETTLE_S,
        arming=replace(common.arming, ramp_s=RAMP_S),
        watch=replace(
            common.watch,
            overspeed_factor=SOFT_OVERSPEED_FACTOR if soft else OVERSPEED_FACTOR,
            undriven_ticks=UNDRIVEN_TICKS,
            impossible_factor=IMPOSSIBLE_FACTOR,
            stalls=True,
            stiffness=stiffness_n_m_per_rad(file),
            position_noise=POSITION_NOISE,
            voltage_average_s=VOLTAGE_AVERAGE_S,
        ),
        keep_out=keep_out,
    )


def _common(section: ExecutorSection, supply: SupplyRange, real: bool) -> ExecutorSettings:
    """What every robot has; `real`: it is no twin."""
    sag, surge = supply.peaks
    return ExecutorSettings(
        hold_after=section.hold_after_s,
        damp_after=section.damp_after_s,
        stop_after=section.stop_after_s,
        silence=section.silence_s,
        arming=ArmingSettings(voltage_min=supply.lower, voltage_max=supply.upper),
        watch=WatchSettings(
            position_tolerance=section.position_tolerance_rad,
            stale_hold_s=2.0 * section.period_s,
            stale_fault_s=5.0 * section.period_s,
            voltage_min=supply.lower,
            voltage_max=supply.upper,
            voltage_sag=sag,
            voltage_surge=surge,
        ),
        soft_zone=section.soft_zone(usual=real),
        low_pass=section.low_pass_hz,
    )
