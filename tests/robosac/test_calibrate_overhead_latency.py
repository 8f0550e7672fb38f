"""The overhead camera is timed by the swinging legs, written, and replayed by tracker and twin."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from calibration.file import load
from calibration.record import Calibration, Delay
from robosac import assembly_minitaur, calibrate_latency
from robosac.actuator_twin import measured_eye, overhead_view
from robosac.armed_bench import armed
from robosac.assembly_minitaur import reach
from robosac.calibrate_camera_latency import SWINGS, film, swing, timed_pictures
from robosac.check import subject
from robosac.check.subject import subject_of
from robosac.cli import app
from robosac.config import load_preset
from robosac.errors import ConfigError, RobotError
from robosac.executor_settings import minitaur_settings
from robosac.flight.wiring import untapped
from robosac.keepout import FrontLegsForward
from robosac.robots.robot_file import RobotFile, load_robot_file
from robosac.robots.wiring import unmeasured
from robosac.settings import MinitaurConfig
from sim.minitaur import MinitaurTwin
from sim.overhead_camera import AS_DRAWN, OverheadView
from tests.robosac.test_camera_twin import measured_hand
from tests.sweeps.hidden_delays import Hidden, spied

run = CliRunner().invoke
DELAY = Delay(count=900, mean_s=0.03, p50_s=0.03, p99_s=0.034, max_s=0.035)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate_latency.step_joint, "__defaults__", (20,))
    monkeypatch.setattr(calibrate_latency, "SETTLE_S", 0.05)
    monkeypatch.setattr(film, "__defaults__", (5.0,))


def settings(*overrides: str) -> MinitaurConfig:
    config = load_preset("minitaur", list(overrides))
    assert isinstance(config, MinitaurConfig)
    return config


def late(delay: Delay = DELAY) -> Calibration:
    """A calibration of which only the camera's delay counts."""
    nominal = unmeasured(load_robot_file(None))
    return msgspec.structs.replace(nominal, latency={"camera": delay})


def with_tracker(folder: Path, **values: Any) -> Path:
    """A robot file that has an overhead camera."""
    document = yaml.safe_load(
        (Path(subject.__file__).parents[1] / "robots/minitaur.yaml").read_text()
    )
    document["tracker"] = {"camera": "/dev/null", **OverheadView().sheet(), **values}
    path = folder / "robot.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def twin_of(config: MinitaurConfig, file: RobotFile, measured: Calibration) -> MinitaurTwin:
    reached = reach(config, file, measured, sys.stdin, untapped, film=True)
    assert isinstance(reached.operator, MinitaurTwin)
    return reached.operator


@pytest.mark.usefixtures("quick")
def test_it_is_measured_written_told_and_replayed(tmp_path: Path) -> None:
    out = tmp_path / "found.yaml"
    asked = ["--twin.overhead.latency_s", "0.045", "--twin.overhead.jitter_s", "0.006"]
    asked += ["--twin.overhead.fps", "47.3"]
    done = run(app, ["calibrate", "latency", "minitaur", "--out", str(out), "--json", *asked])
    assert done.exit_code == 0, done.output
    told, found = json.loads(done.stdout), load(out)
    camera, lag_s = found.latency["camera"], settings().twin.sensor_latency_s
    assert camera.mean_s == pytest.approx(0.048 - lag_s, abs=0.001)
    assert camera.max_s == pytest.approx(0.051 - lag_s, abs=0.0015)
    assert told["latency"]["camera"]["mean_s"] == camera.mean_s
    assert told["remark"] == "", "stamps are right; it is the joints' readings that are late"
    assert found.evidence["latency"].residuals["camera_uncertain_s"] < 0.0005
    assert "camera" in (tmp_path / "found.yaml.latency.html").read_text()
    # What the twin then shows, timed again, is what was measured.
    again = [f"robot.calibration={out}", "robot.calibration_days=100000", "twin.overhead.fps=47.3"]
    with armed("minitaur", again, False, sight=True) as robot:
        filmed = film(robot)
    replayed = timed_pictures(filmed)
    assert replayed.delay.mean_s == pytest.approx(camera.mean_s, abs=0.001)
    assert replayed.delay.max_s == pytest.approx(camera.max_s, abs=0.002)


@pytest.mark.usefixtures("quick")
def test_a_dry_run_times_it_too_and_writes_nothing(tmp_path: Path) -> None:
    out, pictures = tmp_path / "mine.yaml", tmp_path / "rehearsal"
    command = ["calibrate", "latency", "minitaur", "--out", str(out), "--dry-run", "--json"]
    file = with_tracker(tmp_path)
    done = run(app, [*command, "--pictures", str(pictures), "--robot.file", str(file)])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["latency"]["camera"]["count"] > 100
    assert not out.exists()
    assert (pictures / "mine.yaml.latency.png").exists()


def test_pictures_without_stamps_are_timed_too() -> None:
    hidden = Hidden(
        latency_s=0.05, jitter_s=0.006, fps=40.0, host_stamped=True, seed=4, kind="overhead",
        lag_s=0.008,
    )  # fmt: skip
    with (
        spied(hidden) as drawn,
        armed(hidden.preset, hidden.overrides, False, hidden.seed, sight=True) as robot,
    ):
        drawn.clear()
        filmed = film(robot, 6.0)
    found = timed_pictures(filmed)
    assert found.delay.mean_s == pytest.approx(float(np.mean(drawn)) - 0.008, abs=0.001)
    assert filmed.host_stamped


def test_legs_that_the_camera_does_not_see_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    aside = replace(AS_DRAWN, position_m=(0.0, 4.0, 2.5))

    def elsewhere(*arguments: Any) -> OverheadView:
        return replace(overhead_view(*arguments), placed=aside)

    monkeypatch.setattr(assembly_minitaur, "overhead_view", elsewhere)
    with armed("minitaur", [], False, sight=True) as robot:
        filmed = film(robot, 4.0)
    with pytest.raises(RobotError, match="latency of the camera: the pictures tell"):
        timed_pictures(filmed)


def test_legs_swing_within_limits_and_keep_outs_and_do_not_push() -> None:
    file, period, how = load_robot_file(None), 0.005, SWINGS["minitaur"]
    limits, centre = file.joint_limits(), np.full(8, 2.0)
    goals = swing(centre, how, period, 15.0)
    speed = np.diff(goals, axis=0) / period
    assert np.abs(speed).max() < 0.2 * limits.velocity.min()
    assert np.abs(np.diff(speed, axis=0) / period).max() < 0.2 * limits.acceleration.min()
    assert (goals > limits.lower + 0.3).all()
    assert (goals < limits.upper - 0.3).all()
    np.testing.assert_array_equal(goals[[0, -1]], [centre, centre])
    # No leg becomes longer, so that feet in the air stay there, and front and back go apart.
    np.testing.assert_allclose(goals[:, 0::2] + goals[:, 1::2], 4.0)
    forward = (goals[:, 1::2] - goals[:, 0::2]) / 2.0
    np.testing.assert_allclose(forward.sum(axis=1), 0.0, atol=1e-9)
    real = settings("robot.address=serial")
    keep_out = minitaur_settings(real, file).keep_out
    assert isinstance(keep_out, FrontLegsForward)
    assert keep_out.clearance(goals).min() > 0.1


def test_the_twins_tracker_is_as_late_as_the_camera_was_measured() -> None:
    config, file = settings(), load_robot_file(None)
    steady = Delay(count=900, mean_s=0.03, p50_s=0.03, p99_s=0.03, max_s=0.03)
    twin = twin_of(config, file, late(steady))
    tracker = twin.tracker
    # Pictures count from the joints' readings, which are late themselves; then the search.
    expected_s = 0.03 + config.twin.sensor_latency_s + tracker.settings.search_s
    fixes: dict[float, float] = {}
    for _ in range(300):
        twin.clock.wait_until(twin.clock.now() + 0.001)
        fix = tracker.newest(twin.clock.now())
        if fix is not None:
            fixes.setdefault(fix.time, twin.clock.now() - fix.time)
    assert len(fixes) > 10
    assert list(fixes.values()) == pytest.approx([expected_s] * len(fixes), abs=0.0011)


def test_without_a_measured_camera_the_tracker_is_as_before() -> None:
    tracker = twin_of(settings(), load_robot_file(None), late()).tracker
    assert tracker.settings.delays is not None
    plain = twin_of(settings(), load_robot_file(None), unmeasured(load_robot_file(None))).tracker
    assert plain.settings.delays is None
    assert plain.settings.longest_s == 0.05
    assert plain.settings.rate_hz == 60.0


def test_the_twins_camera_is_the_measured_one_or_else_the_robot_files(tmp_path: Path) -> None:
    section = settings().twin.overhead
    bare, measured = load_robot_file(None), late()
    assert overhead_view(section, bare, measured).placed == AS_DRAWN
    file = load_robot_file(str(with_tracker(tmp_path, size=[160, 120])))
    view = overhead_view(section, file, measured)
    assert view.size == (160, 120)
    assert view.placed.lens.focal_px == AS_DRAWN.lens.focal_px
    assert view.delays is not None
    hung = msgspec.structs.replace(measured, cameras={"tracker": measured_hand(300)})
    seen = overhead_view(section, file, hung).placed
    assert seen.lens.size == (300, 300)
    assert seen.position_m == measured_hand(300).position_m


def test_a_served_twin_takes_over_what_was_measured() -> None:
    hung = msgspec.structs.replace(late(), cameras={"tracker": measured_hand(300)})
    eye = measured_eye(hung, "minitaur")
    assert eye.placed is not None
    assert eye.delays is not None
    assert type(eye).of(eye.text()) == eye
    with pytest.raises(ConfigError, match="tells nothing of the camera of a minitaur"):
        measured_eye(unmeasured(load_robot_file(None)), "minitaur")


def test_the_check_knows_how_old_a_picture_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the measured delay, and by what the joints' readings may be late."""
    config = settings("robot.address=serial", f"robot.file={with_tracker(tmp_path)}")
    wish = subject_of(config).wish
    assert wish is not None
    assert wish.oldest_s is None
    motion = Delay(count=60, mean_s=0.015, p50_s=0.015, p99_s=0.016, max_s=0.02)
    both = msgspec.structs.replace(late(), latency={"camera": DELAY, "command_to_motion": motion})
    monkeypatch.setattr(subject, "load_calibration", lambda *_: both)
    wish = subject_of(config).wish
    assert wish is not None
    assert wish.measured_s == pytest.approx(0.055)
