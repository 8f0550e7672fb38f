"""Reaching a robot: the twin is what the robot file says, and a mistake leaves nothing open."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

import robosac.assembly
import robosac.assembly_minitaur
from drivers.vectornav.port import VectorNavPort
from robosac.assembly import Stage, make_stage
from robosac.cli import app
from robosac.config import load_preset
from robosac.errors import CalibrationMismatch, ConfigError
from robosac.metrics import TimingRow
from robosac.progress import Progress
from robosac.runs import RunFolder
from robosac.settings import TrainConfig
from robosac.training_log import TrainingLog
from sim.minitaur import MinitaurTwin
from sim.wire_faults import FaultRates, RandomFaults
from tests.robosac.test_robot_file import NOMINAL, changed
from tests.robosac.test_walk import parts


def described(file: Path, *overrides: str) -> TrainConfig:
    return load_preset("minitaur", [f"robot.file={file}", *overrides])


def twin_of(stage: Stage) -> MinitaurTwin:
    env, _ = parts(stage)
    assert isinstance(env.operator, MinitaurTwin)
    return env.operator


def test_the_twins_controllers_are_as_the_robot_file_says(tmp_path: Path) -> None:
    controllers = {
        "voltage_mode_control": False,
        "max_current_a": 30.0,
        "bounds": {"lower_rad": 0.3, "upper_rad": 3.2},
    }
    file = changed(tmp_path, controllers=controllers, watchdog_s=0.05)
    stage = make_stage(described(file))
    env, _ = parts(stage)
    env.reset(seed=0)
    env.reset(seed=1)
    for index, configured in enumerate(map(twin_of(stage).bank.configuration, range(8))):
        assert configured.max_current_a == 30.0
        assert configured.default_timeout_s == 0.05
        assert not configured.voltage_mode_control
        assert (configured.position_max_rev < 0) == (index < 4)


def test_the_twins_motors_have_the_ids_of_the_robot_file(tmp_path: Path) -> None:
    document = yaml.safe_load(NOMINAL.read_text())
    joints = {}
    for name, motor in document["motors"].items():
        motor["id"] += 40
        joints[name] = {"motor_id": motor["id"]}
    file, measured = tmp_path / "robot.yaml", tmp_path / "measured.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    drawn = {"format": 2, "robot": "minitaur", "date": "nominal", "joints": joints}
    measured.write_text(yaml.safe_dump(drawn))
    stage = make_stage(described(file, f"robot.calibration={measured}"))
    parts(stage)[0].reset(seed=0)
    with pytest.raises(CalibrationMismatch, match="motor 1"):
        make_stage(described(file))


def test_what_happens_on_the_bus_is_in_the_timing_rows(
    tmp_path: Path, make_twin: Callable[..., Stage]
) -> None:
    stage = make_twin()
    env, _ = parts(stage)
    config = load_preset("minitaur")
    run = RunFolder.create(tmp_path / "run", config)
    with run.metrics_writer() as metrics:
        log = TrainingLog(run, stage, metrics, Progress(1, "test"), time.monotonic)
        env.reset(seed=0)
        twin_of(stage).legs.faults = RandomFaults(FaultRates(drop=0.02), np.random.default_rng(0))
        for _ in range(5):
            env.step(np.zeros(8, np.float32))
        log.timing(0, 0.0, None)
        twin_of(stage).legs.faults = None
        env.step(np.zeros(8, np.float32))
        log.timing(0, 0.0, None)
    damaged, sound = (row for row in run.rows() if isinstance(row, TimingRow))
    assert (damaged.replies_lost or 0) > 0
    assert (damaged.exchange_max_ms or 0.0) > 0.0
    assert sound.replies_lost == 0, "a row counts from the row before"
    assert sound.replies_bad == 0


def test_a_warning_is_one_line_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = robosac.assembly.make_stage

    def slow(config: TrainConfig, take_over: bool) -> Stage:
        stage = built(config, take_over)
        return Stage(**{**vars(stage), "warnings": ("the adapter is slow",)})

    monkeypatch.setattr(robosac.assembly, "make_stage", slow)
    arguments = f"train minitaur --run {tmp_path / 'run'} --steps 20 --task.episode-steps=20"
    result = CliRunner().invoke(app, [*arguments.split(), "--evaluation.episodes", "1"])
    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines()[0] == "robosac: warning: the adapter is slow"


@pytest.mark.parametrize("error", [ValueError("no such limits"), KeyboardInterrupt()])
def test_nothing_stays_open_when_the_rest_cannot_be_built(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    closed: list[VectorNavPort] = []
    monkeypatch.setattr(VectorNavPort, "close", lambda port: closed.append(port))

    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(robosac.assembly_minitaur, "MinitaurWalk", refuse)
    with pytest.raises(type(error)):
        make_stage(load_preset("minitaur"))
    assert len(closed) == 1


def test_a_wrong_address_is_told_before_anything_is_opened() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ConfigError, match="valid are twin://minitaur and serial"):
        make_stage(load_preset("minitaur", ["robot.address=/dev/ttyUSB0"]))
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_with_other_gains_makes_another_twin(tmp_path: Path) -> None:
    gains = {"stiffness_n_m_per_rad": 5.0, "damping_n_m_s_per_rad": 0.2}
    stage = make_stage(described(changed(tmp_path, gains=gains)))
    parts(stage)[0].reset(seed=0)
    configured = twin_of(stage).bank.configuration(0)
    assert configured.kp_nm_per_rev == pytest.approx(5.0 * 6.283185, rel=1e-6)
