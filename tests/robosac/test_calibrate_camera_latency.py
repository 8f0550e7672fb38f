"""A robot's pictures are timed through its executor, written, and replayed by the twin."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from calibration.camera_latency import CameraLatency
from calibration.file import load
from calibration.record import Delay
from robosac import calibrate_camera_latency, calibrate_latency
from robosac.actuator_twin import measured_camera_delays
from robosac.armed_bench import armed
from robosac.calibrate_camera_latency import SWINGS, film, swing, timed_pictures
from robosac.calibrate_latency import stamp_remark
from robosac.cli import app
from robosac.config import load_preset
from robosac.errors import RobotError
from robosac.settings import ClawConfig
from sim.claw import DT
from tests.sweeps.hidden_delays import Hidden, spied

run = CliRunner().invoke


def test_it_is_measured_written_told_and_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate_latency.step_joint, "__defaults__", (20,))
    monkeypatch.setattr(film, "__defaults__", (7.0,))
    monkeypatch.setattr(calibrate_latency, "SETTLE_S", 0.05)
    out = tmp_path / "found.yaml"
    asked = ["--twin.camera.latency_s", "0.03", "--twin.camera.jitter_s", "0.008"]
    done = run(app, ["calibrate", "latency", "claw-pixels", "--out", str(out), "--json", *asked])
    assert done.exit_code == 0, done.output
    told, found = json.loads(done.stdout), load(out)
    camera = found.latency["camera"]
    assert camera.mean_s == pytest.approx(0.034 - DT, abs=0.001)
    assert camera.max_s == pytest.approx(0.038 - DT, abs=0.0015)
    assert told["latency"]["camera"]["mean_s"] == camera.mean_s
    assert found.evidence["latency"].residuals["camera_uncertain_s"] < 0.0005
    assert "camera" in (tmp_path / "found.yaml.latency.html").read_text()
    # What the twin then shows, timed again, is what was measured.
    again = [f"robot.calibration={out}", "robot.calibration_days=100000"]
    with armed("claw-pixels", again, False, sight=True) as robot:
        filmed = film(robot, 7.0)
    replayed = timed_pictures(filmed)
    assert replayed.delay.mean_s == pytest.approx(camera.mean_s, abs=0.001)
    assert replayed.delay.max_s == pytest.approx(camera.max_s, abs=0.002)


def test_pictures_without_stamps_are_timed_too() -> None:
    hidden = Hidden(latency_s=0.025, jitter_s=0.01, fps=30.0, host_stamped=True, seed=4)
    with (
        spied(hidden),
        armed("claw-pixels", hidden.overrides, False, hidden.seed, sight=True) as robot,
    ):
        filmed = film(robot, 7.0)
    found = timed_pictures(filmed)
    assert found.delay.mean_s == pytest.approx(0.03 - DT, abs=0.001)
    # A stamp of arrival is that of the look which found the picture.
    assert found.stamp_s == pytest.approx(0.03, abs=0.002)
    assert found.delay.p99_s == pytest.approx(0.035 - DT, abs=0.0015)


def test_without_a_camera_there_is_nothing_to_time() -> None:
    with armed("claw", [], take_over=False, sight=True) as robot:
        assert robot.camera is None
        with pytest.raises(RobotError, match="no camera"):
            film(robot)
        limits = robot.executor.limits
        period = robot.executor.period
        goals = swing(robot.centre, SWINGS["claw"], period, 15.0)
    speed = abs((goals[1:] - goals[:-1]) / period)
    assert speed.max() < 0.6 * limits.velocity[-1]
    assert (goals[:, :-1] == goals[0, :-1]).all()
    assert goals[0, -1] == goals[-1, -1] == pytest.approx(0.0, abs=1e-9)


def test_a_valve_that_the_camera_does_not_see_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    still = replace(SWINGS["claw"], size_rad=0.0)
    monkeypatch.setitem(calibrate_camera_latency.SWINGS, "claw", still)
    with armed("claw-pixels", [], take_over=False, sight=True) as robot:
        filmed = film(robot, 4.5)
    with pytest.raises(RobotError, match="latency of the camera: the pictures tell"):
        timed_pictures(filmed)


def test_a_wrong_stamp_is_told_with_what_to_put() -> None:
    delay = Delay(count=200, mean_s=0.03, p50_s=0.03, p99_s=0.03, max_s=0.03)
    camera = CameraLatency(delay, np.zeros(3), 0.012, 1e-4, 0.02)
    assert stamp_remark(None, "camera", 0.0) == ""
    assert "camera.latency_s: 0.0220" in stamp_remark(camera, "camera", 0.01)
    assert "tracker.latency_s: 0.0120" in stamp_remark(camera, "tracker", 0.0)


def test_a_stamp_that_seems_too_early_is_told_only_where_something_can_be_put() -> None:
    """The joints' readings are late then, of which the robot file knows nothing."""
    delay = Delay(count=200, mean_s=0.03, p50_s=0.03, p99_s=0.03, max_s=0.03)
    camera = CameraLatency(delay, np.zeros(3), -0.015, 1e-4, 0.02)
    assert stamp_remark(camera, "tracker", 0.0) == ""
    assert "tracker.latency_s: 0.0050" in stamp_remark(camera, "tracker", 0.02)


def test_the_twin_without_a_measured_camera_keeps_its_settings() -> None:
    config = load_preset("claw-pixels", [])
    assert isinstance(config, ClawConfig)
    from robosac.stage import read_calibration

    nominal = read_calibration(config.robot, "claw")
    assert measured_camera_delays(nominal) is None
    delay = Delay(count=200, mean_s=0.03, p50_s=0.03, p99_s=0.034, max_s=0.035)
    found = measured_camera_delays(msgspec.structs.replace(nominal, latency={"camera": delay}))
    assert found is not None
    assert found.max_s == 0.035
