"""`robosac calibrate latency` and `actuators`: through the executor, and torque off afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from calibration import nominal
from calibration.actuators import Motion
from calibration.excitation import Excitation
from calibration.file import load
from calibration.latency import StepResponse
from calibration.motion_delay import MotionDelay
from calibration.record import FORMAT, NOMINAL, Calibration, Delay
from robosac import armed_bench, calibrate_actuators, calibrate_latency
from robosac.actuator_twin import comparison, measured_actuators, measured_delays
from robosac.armed_bench import Armed, armed
from robosac.calibrate_camera_latency import film
from robosac.calibration_file import save
from robosac.cli import app
from robosac.config import load_preset
from robosac.dithered import SHARE, DitheredClock
from robosac.errors import ConfigError, RobotError
from robosac.estop import EStopGate
from robosac.robots.robot_file import load_robot_file
from robosac.settings import MinitaurConfig
from robosac.states import SafetyState
from tests.calibration.specimens import MEASURED
from tests.calibration.test_record import ACTUATOR
from tests.robosac.fake_robot import ManualClock

run = CliRunner().invoke
LATE = Delay(count=20, mean_s=0.016, p50_s=0.016, p99_s=0.017, max_s=0.0175)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate_latency, "STEPS", 20)
    monkeypatch.setattr(film, "__defaults__", (4.0,))
    monkeypatch.setattr(calibrate_latency, "SETTLE_S", 0.05)
    monkeypatch.setattr(
        calibrate_actuators,
        "EXCITATION",
        {"minitaur": Excitation(0.25, 10.0, 500.0, 2.0, 12.0, 0.1, 0.6, 2)},
    )


def test_latency_is_measured_written_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate_latency.step_joint, "__defaults__", (20,))
    out = tmp_path / "found.yaml"
    done = run(app, ["calibrate", "latency", "minitaur", "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    found = load(out)
    motion = found.latency["command_to_motion"]
    assert motion.mean_s == pytest.approx(0.015, abs=0.001)
    assert found.evidence["latency"].residuals["motion_uncertain_s"] < 0.0003
    assert told["latency"]["command_to_motion"]["mean_s"] == motion.mean_s
    assert told["needed_history"] == 1
    assert told["remark"] == ""
    assert {"bus", "command_to_motion", "imu_age", "camera"} == set(found.latency)
    assert found.evidence["latency"].samples > 20
    assert (tmp_path / "found.yaml.latency.png").read_bytes().startswith(b"\x89PNG")
    assert "command to motion" in (tmp_path / "found.yaml.latency.html").read_text()


@pytest.mark.parametrize(
    ("swung_s", "says"),
    [(0.0235, "ms by steps, but 23.5 ms by the motion of front_left_front"), (0.0153, "")],
)
def test_steps_and_motion_must_tell_about_the_same(
    swung_s: float, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    response = StepResponse(LATE, np.full(20, LATE.mean_s), 0.01)
    found = calibrate_latency.Latency(LATE, response, {}, 0.05, 0.02, 1)
    told = MotionDelay(swung_s, 1e-4, 0.01)
    monkeypatch.setattr(calibrate_latency, "motion_delay", lambda *_: told)
    motion = Motion(*(np.zeros((0, 8)) for _ in range(4)))
    config = load_preset("minitaur", [])
    assert isinstance(config, MinitaurConfig)
    twin, drawn = comparison(config, load_robot_file(None), nominal("minitaur"))
    if says:
        with pytest.raises(RobotError, match=says):
            calibrate_latency.placed(found, motion, "minitaur", twin, drawn)
        return
    better = calibrate_latency.placed(found, motion, "minitaur", twin, drawn)
    assert better.response.delay.mean_s == swung_s
    spread = LATE.max_s - LATE.mean_s
    assert better.response.delay.max_s == pytest.approx(swung_s + spread)
    assert better.motion is told


def test_torque_is_off_before_anything_is_reckoned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody ticks meanwhile: motors that still drove would end by their watchdogs, as a fault."""
    seen: list[Armed] = []
    stepping = calibrate_latency.step_joint

    def step_joint(robot: Armed) -> calibrate_latency.Stepped:
        seen.append(robot)
        return stepping(robot, 20)

    def timed(stepped: calibrate_latency.Stepped) -> calibrate_latency.Latency:
        assert len(stepped.steps) == 20
        assert seen[0].executor.torque_off_since is not None
        raise RobotError("far enough")

    monkeypatch.setattr(calibrate_latency, "step_joint", step_joint)
    monkeypatch.setattr(calibrate_latency, "timed", timed)
    done = run(app, ["calibrate", "latency", "minitaur", "--out", str(tmp_path / "found.yaml")])
    assert done.exit_code == 1
    assert "far enough" in done.output


def test_actuators_are_identified_written_and_told(tmp_path: Path) -> None:
    out = tmp_path / "found.yaml"
    done = run(app, ["calibrate", "actuators", "minitaur", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "front_left_front: torque_gain" in done.stdout
    found = load(out)
    assert list(found.actuators) == list(found.joints)
    for joint in found.actuators.values():
        assert joint.torque_gain == pytest.approx(1.0, abs=0.08)
        assert 0.0 < joint.torque_gain_error < 0.05
    assert found.evidence["actuators"].residuals["held_out_identified_rad"] < 0.002
    page = (tmp_path / "found.yaml.actuators.html").read_text()
    assert "back_right_rear" in page
    done = run(app, ["calibrate", "actuators", "minitaur", "--robot.calibration", str(out), "--x"])
    assert done.exit_code == 2


@pytest.fixture
def hung() -> Iterator[Armed]:
    with armed("minitaur", [], take_over=False) as robot:
        yield robot


def test_a_hand_is_armed_at_the_centre_of_its_motions_and_left_limp() -> None:
    with armed("claw", [], take_over=False) as robot:
        assert robot.kind == "claw"
        assert robot.executor.safety is SafetyState.ACTIVE
        np.testing.assert_allclose(robot.executor.commanded_position, robot.centre)
        executor = robot.executor
    assert executor.torque_off_since is not None


def test_a_tripped_gate_ends_it_with_torque_off(monkeypatch: pytest.MonkeyPatch) -> None:
    gates: list[EStopGate] = []

    class Caught(EStopGate):
        def __init__(self) -> None:
            super().__init__()
            gates.append(self)

    monkeypatch.setattr(armed_bench, "EStopGate", Caught)
    seen: list[Armed] = []

    def moved() -> None:
        with armed("minitaur", [], take_over=False) as robot:
            seen.append(robot)
            gates[0].trip("button")
            robot.go(robot.centre + 0.1)

    with pytest.raises(RobotError, match="stopped while calibrating"):
        moved()
    executor = seen[0].executor
    assert executor.torque_off_since is not None
    assert executor.safety is SafetyState.FAULT


def test_an_interrupt_ends_it_with_torque_off_and_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, seen = tmp_path / "found.yaml", list[Armed]()

    def interrupted(robot: Armed) -> None:
        seen.append(robot)
        assert robot.executor.safety is SafetyState.ACTIVE
        raise KeyboardInterrupt

    monkeypatch.setattr(calibrate_latency, "step_joint", interrupted)
    done = run(app, ["calibrate", "latency", "minitaur", "--out", str(out)])
    assert done.exit_code == 130
    assert seen[0].executor.torque_off_since is not None
    assert not list(tmp_path.iterdir())


def test_a_motion_that_leaves_the_limits_is_refused(
    hung: Armed, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = Excitation(1.4, 30.0, 4000.0, 1.5, 12.0)
    monkeypatch.setattr(calibrate_actuators, "EXCITATION", {"minitaur": wide})
    with pytest.raises(RobotError, match="leaves its limits"):
        calibrate_actuators.wanted(hung)
    fast = Excitation(0.2, 41.0, 4000.0, 1.5, 12.0)
    monkeypatch.setattr(calibrate_actuators, "EXCITATION", {"minitaur": fast})
    with pytest.raises(RobotError, match="the robot file allows less"):
        calibrate_actuators.wanted(hung)


def test_a_step_passes_the_limiter_in_any_dithered_tick(hung: Armed) -> None:
    limits, size = hung.executor.limits, calibrate_latency.step_size(hung)
    shortest = (1.0 - SHARE) * hung.executor.period
    assert size / shortest <= limits.velocity[0]
    assert size / shortest**2 <= limits.acceleration[0]


def test_only_robots_are_driven(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match="no robot"),
        armed("gym:Pendulum-v1", [], take_over=False),
    ):
        pass
    done = run(app, ["calibrate", "latency", "--help"])
    assert "Example" in done.output
    assert "Example" in run(app, ["calibrate", "actuators", "--help"]).output


def test_a_dithered_clock_wakes_late_by_less_than_its_share() -> None:
    clock = ManualClock()
    begin = clock.now()
    dithered = DitheredClock(clock, 0.01, iter((0.0, 0.5, 1.0)).__next__)
    dithered.wait_until(begin + 1.0)
    assert dithered.now() == begin + 1.0
    dithered.dithers = True
    for number, draw in enumerate((0.0, 0.5, 1.0), 2):
        dithered.wait_until(begin + number)
        assert dithered.now() == pytest.approx(begin + number + draw * SHARE * 0.01)


def test_a_twin_takes_what_was_measured(tmp_path: Path) -> None:
    names = tuple(MEASURED.joints)
    assert measured_actuators(MEASURED, names) is None
    assert measured_delays(MEASURED) is None
    delay = Delay(count=60, mean_s=0.02, p50_s=0.02, p99_s=0.021, max_s=0.022)
    found = msgspec.structs.replace(
        MEASURED,
        actuators=dict.fromkeys(names, ACTUATOR),
        latency={**MEASURED.latency, "command_to_motion": delay},
    )
    actuators = measured_actuators(found, names)
    assert actuators is not None
    np.testing.assert_array_equal(actuators.table, np.tile(ACTUATOR.row, (8, 1)))
    delays = measured_delays(found)
    assert delays is not None
    assert delays.max_s == 0.022


def test_a_history_that_is_too_short_is_refused_before_anything_moves(tmp_path: Path) -> None:
    from robosac.assembly import make_stage
    from robosac.config import load_preset

    path = tmp_path / "slow.yaml"
    delay = Delay(count=60, mean_s=0.05, p50_s=0.05, p99_s=0.07, max_s=0.07)
    slow = msgspec.structs.replace(
        MEASURED, ports={}, latency={**MEASURED.latency, "command_to_motion": delay}
    )
    save(path, slow)
    overrides = [f"robot.calibration={path}", "robot.calibration_days=100000"]
    with pytest.raises(ConfigError, match=r"raise task\.history"):
        make_stage(load_preset("minitaur", [*overrides, "task.history=3"]))
    make_stage(load_preset("minitaur", overrides)).close()


def test_a_calibration_of_nothing_stays_nominal() -> None:
    bare = Calibration(format=FORMAT, robot="minitaur", date=NOMINAL, joints={})
    assert measured_actuators(bare, ()) is None
