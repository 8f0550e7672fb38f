"""Reaching the hand: the twin is what the robot file says, and a mistake leaves nothing open."""

from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from robosac.assembly import make_stage
from robosac.config import load_preset
from robosac.errors import CalibrationMismatch, ConfigError
from sim.camera_randomisation import CameraRandomisation
from tests.robosac.turn_rig import make_rig, quick

NOMINAL = (resources.files("robosac.robots") / "claw.yaml").read_text()


def changed(tmp_path: Path, before: str, after: str) -> str:
    assert before in NOMINAL
    file = tmp_path / "hand.yaml"
    file.write_text(NOMINAL.replace(before, after))
    return f"robot.file={file}"


@pytest.mark.parametrize(
    ("servos", "gain"), [("xh430", 1410), ("identified", 1410), ("robel", 134)]
)
def test_the_twins_servos_are_as_stiff_as_they_are_to_be(servos: str, gain: int) -> None:
    rig = make_rig("claw", f"twin.servos={servos}")
    rig.env.reset(seed=0)
    gains = {servo.memory["position_p_gain"] for servo in rig.twin.line.servos}
    assert gains == {gain}


def test_the_twins_camera_is_as_its_settings_say() -> None:
    section = {
        "fps": 60.0,
        "latency_s": 0.03,
        "jitter_s": 0.01,
        "exposure": 0.5,
        "read_noise": 0.02,
        "shot_noise": 0.05,
        "size": 48,
    }
    told = [f"twin.camera.{name}={value}" for name, value in section.items()]
    rig = make_rig("claw-pixels", *told, "twin.camera.randomisation=mild")
    assert rig.twin.camera is not None
    options, device = rig.twin.camera.options, rig.twin.camera.device
    sensor = options.sensor
    assert (sensor.exposure, sensor.read_noise, sensor.shot_noise) == (0.5, 0.02, 0.05)
    assert (device.size, device.fps) == ((48, 48), 60.0)
    transits = [device.transit_s() for _ in range(200)]
    assert 0.03 <= min(transits) < 0.031
    assert 0.039 < max(transits) <= 0.04
    assert options.randomisation == CameraRandomisation.mild()


def test_exposure_darkens_what_the_policy_sees() -> None:
    seen = []
    for exposure in (1.0, 0.25):
        rig = make_rig("claw-pixels", *quick(), f"twin.camera.exposure={exposure}")
        seen.append(rig.env.reset(seed=0)[0]["image"].mean())
    assert seen[1] == pytest.approx(seen[0] * 0.25 ** (1 / 2.2), rel=0.1)


@pytest.mark.parametrize(("servos", "factor"), [("xh430", 1.0), ("robel", 1.5)])
def test_only_soft_joints_may_swing_past_the_speed_of_a_servo(servos: str, factor: float) -> None:
    rig = make_rig("claw", f"twin.servos={servos}")
    assert rig.executor.settings.watch.overspeed_factor == factor


def test_the_twin_has_the_servos_of_the_robot_file(tmp_path: Path) -> None:
    file = changed(tmp_path, "model: XH430-V210", "model: XM430-W350")
    text = Path(file.removeprefix("robot.file=")).read_text()
    Path(file.removeprefix("robot.file=")).write_text(
        text.replace("lower: 20.0, upper: 26.0, sag: 16.0, surge: 28.0", "lower: 10.0, upper: 14.0")
    )
    rig = make_rig("claw", file, "twin.supply_voltage_v=12.0", "twin.servos=identified")
    rig.env.reset(seed=0)
    assert {servo.memory["model_number"] for servo in rig.twin.line.servos} == {1020}
    state = rig.env.executor.state
    assert state is not None
    np.testing.assert_allclose(state.joints.voltage, 12.0, atol=0.2)


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("model: XH430-V210", "model: XL9000", "no twin of servos 'XL9000'"),
        ("id: 50", "id: 10", "not all different"),
        ("watchdog_s: 0.08", "watchdog_s: 5.0", "watchdog_s"),
        ("lower_rad: -0.44", "lower_rad: 0.5", "not below"),
        ("  valve: {id", "  knob: {id", "motors are"),
        ("position_p_gain: 1400", "position_q_gain: 1400", "position_q_gain"),
    ],
)
def test_a_wrong_robot_file_is_refused_in_one_line(
    tmp_path: Path, before: str, after: str, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint) as caught:
        make_stage(load_preset("claw", [changed(tmp_path, before, after)]))
    assert "\n" not in str(caught.value)


def test_pixels_need_a_camera(tmp_path: Path) -> None:
    file = tmp_path / "blind.yaml"
    file.write_text(NOMINAL[: NOMINAL.index("# The camera, at")])
    with pytest.raises(ConfigError, match="no section camera"):
        make_stage(load_preset("claw-pixels", [f"robot.file={file}"]))
    make_stage(load_preset("claw", [f"robot.file={file}"])).env.close()


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("robot.address=twin://minitaur", "valid is twin://claw"),
        ("robot.address=usb", "valid are twin://claw and serial"),
        ("robot.address=serial", "usb-FTDI"),
        ("twin.camera.read_noise=0", "read_noise"),
        ("twin.camera.exposure=0", "exposure"),
    ],
)
def test_a_wrong_setting_is_refused(override: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        make_stage(load_preset("claw", [override]))


def test_a_target_that_no_picture_shows_is_refused() -> None:
    with pytest.raises(ConfigError, match="no picture shows"):
        load_preset("claw-pixels", ["task.definition=robel-screw-random"])


def test_another_robots_calibration_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "measured.yaml"
    text = (resources.files("calibration") / "nominal" / "claw.yaml").read_text()
    file.write_text(text.replace("tip_2: {motor_id: 32}", "tip_2: {motor_id: 12}"))
    with pytest.raises(CalibrationMismatch, match="tip_2"):
        make_stage(load_preset("claw", [f"robot.calibration={file}"]))
