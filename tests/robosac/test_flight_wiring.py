"""Recorders on whole robots: bytes, pictures and ticks of a twin, and where the files go."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from robosac.assembly import make_stage
from robosac.commands import make_stage_for
from robosac.config import load_preset
from robosac.errors import RobosacError
from robosac.flight.log import FlightLog
from robosac.flight.reading import load
from robosac.flight.replay import Replay
from robosac.flight.wiring import Blackbox
from robosac.runs import RunFolder
from robosac.settings import RobotConfig


def flown(preset: str, folder: Path, *overrides: str) -> FlightLog:
    """A short episode that the e-stop ends, read back from its file."""
    config = load_preset(
        preset, ["flight.record=on", f"flight.folder={folder}", "flight.seconds=6", *overrides]
    )
    stage = make_stage(config)
    env, recorder = stage.env, stage.recorder
    assert recorder is not None
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    assert env.action_space.shape is not None
    for _ in range(5):
        env.step(rng.uniform(-1.0, 1.0, env.action_space.shape).astype(np.float32))
    stage.gate.trip("test")
    env.step(np.zeros(env.action_space.shape, dtype=np.float32))
    stage.close()
    assert recorder.failures == []
    assert recorder.written[0].parent == folder
    assert "estop" in recorder.written[0].name
    log = load(recorder.written[0])
    assert recorder.bus.copy().ports
    assert Replay(log.header).run(log).differences == ()
    return log


def test_the_quadruped_is_recorded_with_its_bytes(tmp_path: Path) -> None:
    log = flown("minitaur", tmp_path)
    assert log.header.robot == "minitaur"
    assert len(log.header.calibration) == 64
    assert log.rows["imu.present"].any()
    assert log.rows["tracker.present"].any()
    assert log.rows["limiter.decided"].sum() > 50


def test_the_hand_is_recorded_with_joints_let_go(tmp_path: Path) -> None:
    log = flown("claw", tmp_path, "twin.servos=xh430")
    assert log.header.robot == "claw"
    assert log.rows["command.freeing"].any()
    assert not log.rows["imu.present"].any()


def test_what_is_learned_from_does_not_depend_on_the_recorder(tmp_path: Path) -> None:
    seen: list[bytes] = []
    for record in ("on", "off"):
        config = load_preset(
            "minitaur", [f"flight.record={record}", f"flight.folder={tmp_path}", "flight.seconds=2"]
        )
        stage = make_stage(config)
        assert (stage.recorder is None) == (record == "off")
        observations = [stage.env.reset(seed=3)[0]]
        for _ in range(3):
            observations.append(stage.env.step(np.full(8, 0.3, dtype=np.float32))[0])
        stage.close()
        seen.append(b"".join(np.asarray(observation).tobytes() for observation in observations))
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("overrides", "records"),
    [
        ([], False),
        (["robot.address=serial"], True),
        (["robot.address=serial", "flight.record=off"], False),
        (["flight.record=on"], True),
    ],
)
def test_robots_are_recorded_and_twins_if_asked(overrides: list[str], records: bool) -> None:
    config = load_preset("minitaur", overrides)
    assert isinstance(config, RobotConfig)
    assert Blackbox(config).records is records


def test_recordings_go_into_the_run_folder(tmp_path: Path) -> None:
    config = load_preset("minitaur", ["flight.record=on", "flight.seconds=1"])
    run = RunFolder.create(tmp_path / "run", config)
    stage = make_stage_for(config, folder=run.path)
    assert stage.recorder is not None
    assert stage.recorder.folder == run.path / "flight"
    stage.recorder.write("asked")
    stage.close()
    (path,) = (run.path / "flight").iterdir()
    assert path == stage.recorder.written[0]


def test_a_setting_that_cannot_be_is_refused() -> None:
    with pytest.raises(RobosacError, match=r"flight\.record"):
        load_preset("minitaur", ["flight.record=maybe"])
