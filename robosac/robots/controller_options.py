"""How the motor controllers must be configured: what is checked, and what is said if it is not so.

Gains, watchdog and bounds live in the controllers' own memory, where another program, or a
replaced controller, may have left others: the robot file's limits then protect nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from drivers.moteus import Difference
from drivers.moteus.registers import Mode
from robosac.robots.robot_file import RobotFile

RADIANS_PER_TURN = 2.0 * math.pi


def wanted_options(file: RobotFile, joint: str, zero_rad: float) -> dict[str, float]:
    """What the controller of `joint` must be configured to, by option, in the option's unit.

    Sources: mjbots/moteus docs/reference/configuration.md and fw/bldc_servo_structs.h. Gains there
    are per revolution of the motor, bounds are revolutions of it.

    Args:
        file: the robot file.
        joint: one of its joints.
        zero_rad: the motor's angle, after its sign, at the joint's zero, rad.
    """
    motor, gains, more = file.motors[joint], file.gains, file.controllers
    wanted = {
        "id.id": float(motor.id),
        "servo.pid_position.kp": gains.stiffness_n_m_per_rad * RADIANS_PER_TURN,
        "servo.pid_position.kd": gains.damping_n_m_s_per_rad * RADIANS_PER_TURN,
        # For commands that carry no time of their own: another program's.
        "servo.default_timeout_s": file.watchdog_s,
        # Without us it resists motion; limp or held, a standing robot would fall or fight.
        "servo.timeout_mode": float(Mode.ZERO_VELOCITY),
        # Any limit makes the controller plan a motion of its own toward each goal.
        "servo.default_velocity_limit": math.nan,
    }
    if more.voltage_mode_control is not None:
        wanted["servo.voltage_mode_control"] = float(more.voltage_mode_control)
    if more.max_current_a is not None:
        wanted["servo.max_current_A"] = more.max_current_a
    if more.bounds is not None:
        to_turns = motor.direction / RADIANS_PER_TURN
        turns = sorted(
            (angle + zero_rad) * to_turns
            for angle in (more.bounds.lower_rad, more.bounds.upper_rad)
        )
        wanted["servopos.position_min"], wanted["servopos.position_max"] = turns
    return wanted


def complaint(found: Mapping[str, Sequence[Difference]]) -> str:
    """One line on every option that is not as wanted, by joint, and the remedy; "": there is none.

    What several joints have in common is said once.
    """
    joints: dict[str, list[str]] = {}
    for joint, differences in found.items():
        for difference in differences:
            joints.setdefault(str(difference), []).append(joint)
    if not joints:
        return ""
    who = (
        f"{text} ({'every controller' if len(names) == len(found) else ', '.join(names)})"
        for text, names in joints.items()
    )
    return (
        f"the motor controllers are not configured as the robot file says: {'; '.join(who)}; set"
        " them on the controller's console with `conf set OPTION VALUE` and `conf write`"
        " (moteus_tool --console), or correct the robot file"
    )
