"""The twin that a measured robot is compared with, and what it takes of a calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from calibration import Calibration
from calibration.actuators import Drawn, Twin
from calibration.camera_record import MeasuredCamera
from robosac.errors import ConfigError
from robosac.robots.claw_file import ClawFile
from robosac.robots.measured import CAMERA, COMMAND_TO_MOTION
from robosac.robots.measured_camera import HAND, TRACKER
from robosac.robots.robot_file import RobotFile
from robosac.robots.sections import TrackerSection
from robosac.robots.wiring import directions, motor_zeros
from robosac.settings import ClawTwinSection, MinitaurConfig, TwinSection
from robosac.settings.claw import ClawConfig
from robosac.settings.minitaur import TwinOverheadSection
from robosac.stage import is_twin

if TYPE_CHECKING:
    from sim.bolts import Bolts
    from sim.delays import Delays
    from sim.joint_dynamics import JointDynamics
    from sim.lens import PlacedLens
    from sim.measured_eye import MeasuredEye
    from sim.overhead_camera import OverheadView

MINITAUR_TOLERANCE: Final = (0.05, 0.01, 0.01, 1e-4)
CLAW_TOLERANCE: Final = (0.15, 0.05, 0.02, 0.004)
"""How well each number must come to be known; see `calibration.actuators.Drawn`. The hand's links
are light, so that its gains stay half belief."""


def measured_actuators(measured: Calibration, names: Sequence[str]) -> JointDynamics | None:
    """The actuators that were identified, in the order of `names`; None: none were."""
    if not measured.actuators:
        return None
    from sim.joint_dynamics import JointDynamics

    return JointDynamics.of(np.array([measured.actuators[name].row for name in names]))


def measured_delays(measured: Calibration) -> Delays | None:
    """The delay from command to motion that was measured; None: it was not."""
    return _replayed(measured, COMMAND_TO_MOTION)


def measured_camera_delays(measured: Calibration) -> Delays | None:
    """The pictures' delay that was measured; None: it was not."""
    return _replayed(measured, CAMERA)


def _replayed(measured: Calibration, name: str) -> Delays | None:
    delay = measured.latency.get(name)
    if delay is None:
        return None
    from sim.delays import Delays

    return Delays(delay.mean_s, delay.p50_s, delay.p99_s, delay.max_s)


def measured_lens(camera: MeasuredCamera) -> PlacedLens:
    """A camera's lens, and where it was found in the frame of the base or the floor: the twin's."""
    from sim.lens import Lens, PlacedLens

    lens = Lens(camera.size, camera.focal_px, camera.centre_px, camera.distortion)
    (rx, dx, fx), (ry, dy, fy), (rz, dz, fz) = camera.rotation.tolist()
    axes = ((rx, ry, rz), (dx, dy, dz), (fx, fy, fz))
    return PlacedLens(lens, axes, camera.position_m)


def filed_lens(section: TrackerSection) -> PlacedLens:
    """The tracker's camera as the robot file has it.

    Raises:
        ConfigError: its distortion has coefficients that the twin's lens has not.
    """
    from sim.lens import Lens, PlacedLens

    filed = section.calibration
    if any(filed.distortion[5:]):
        raise ConfigError(
            "tracker.calibration.distortion has more than k1, k2, p1, p2 and k3; the twin's lens"
            " has no others"
        )
    k1, k2, p1, p2, k3 = (*filed.distortion, 0.0)[:5]
    (fx, _, cx), (_, fy, cy), _ = filed.matrix
    lens = Lens(section.size, (fx, fy), (cx, cy), (k1, k2, p1, p2, k3))
    right, down, forward = zip(*filed.rotation, strict=True)
    return PlacedLens(lens, (right, down, forward), filed.position)


def measured_eye(measured: Calibration, twin: str) -> MeasuredEye:
    """What a served twin's camera takes over: lens, place and delay, as far as measured.

    Raises:
        ConfigError: none of it was.
    """
    from sim.measured_eye import MeasuredEye

    seen = measured.cameras.get(HAND if twin == "claw" else TRACKER)
    delays = measured_camera_delays(measured)
    if seen is None and delays is None:
        raise ConfigError(
            f"the calibration of {measured.robot} tells nothing of the camera of a {twin}; valid is"
            " one with its lens (calibrate tracker, camera) or its delay (calibrate latency)"
        )
    return MeasuredEye(None if seen is None else measured_lens(seen), delays)


def overhead_view(
    section: TwinOverheadSection, file: RobotFile, measured: Calibration
) -> OverheadView:
    """The camera above the twin: as measured, or else as the robot file has it, or as drawn."""
    from sim.overhead_camera import OverheadView

    view = OverheadView(
        fps=section.fps,
        latency_s=section.latency_s,
        jitter_s=section.jitter_s,
        delays=measured_camera_delays(measured),
    )
    tracker, seen = file.tracker, measured.cameras.get(TRACKER)
    if tracker is not None:
        marker = tracker.marker
        view = replace(
            view,
            placed=filed_lens(tracker),
            marker_id=marker.id,
            marker_side_m=marker.side_m,
            marker_height_m=marker.height_m,
        )
    return view if seen is None else replace(view, placed=measured_lens(seen))


def measured_bolts(measured: Calibration, file: RobotFile | ClawFile) -> Bolts:
    """How the twin is to be bolted together: as the robot file and its calibration say."""
    from sim.bolts import Bolts

    return Bolts(
        tuple(directions(file).tolist()),
        tuple(motor_zeros(file, measured).tolist()),
        measured.imu_mounting,
        measured.gyro_bias_rad_s,
    )


def comparison(
    config: MinitaurConfig | ClawConfig, file: RobotFile | ClawFile, measured: Calibration
) -> tuple[Twin, Drawn]:
    """The twin of a robot on its stand, and what is known of it before.

    Args:
        config: its settings; the twin's own are those of its nominal build, but that a hand behind
            a port is not taken for ROBEL's soft model.
        file: the robot file.
        measured: its calibration, for the delay.
    """
    delay = measured.latency.get(COMMAND_TO_MOTION)
    if isinstance(config, MinitaurConfig):
        assert isinstance(file, RobotFile)
        return _minitaur(config.twin, file, None if delay is None else delay.mean_s)
    assert isinstance(file, ClawFile)
    section = config.twin
    if section.servos == "robel" and not is_twin(config.robot.address, "claw"):
        # No servo is as soft as ROBEL's model: behind a port there are the hand's own.
        section = msgspec.structs.replace(section, servos="xh430")
    return _claw(section, file, None if delay is None else delay.mean_s)


def _minitaur(section: TwinSection, file: RobotFile, delay_s: float | None) -> tuple[Twin, Drawn]:
    from sim.actuator_rollout import MinitaurRollout
    from sim.minitaur import TwinOptions

    options = TwinOptions(
        supply_v=section.supply_voltage_v,
        pd_latency_s=section.pd_latency_s,
        gains=(file.gains.stiffness_n_m_per_rad, file.gains.damping_n_m_s_per_rad),
    )
    twin = MinitaurRollout(options, float(file.joint_limits().torque[0]))
    delay = section.sensor_latency_s if delay_s is None else delay_s
    drawn = Drawn(file.joint_names, twin.groups, twin.nominal, MINITAUR_TOLERANCE, delay_s=delay)
    return twin, drawn


def _claw(section: ClawTwinSection, file: ClawFile, delay_s: float | None) -> tuple[Twin, Drawn]:
    from sim.actuator_rollout import ClawRollout
    from sim.claw_servo import PRESETS

    twin = ClawRollout(
        file.position_p_gain,
        file.joint_limits().torque,
        PRESETS[section.servos],
        section.supply_voltage_v,
    )
    drawn = Drawn(
        file.joint_names, twin.groups, twin.nominal, CLAW_TOLERANCE, delay_s=delay_s or 0.0
    )
    return twin, drawn
