"""The quadruped's own executor process over pseudo-terminals: real bytes, real time, real death."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pytest
import yaml

import robosac.robots
from robosac.assembly import make_stage
from robosac.channel_layout import Layout
from robosac.config import load_preset
from robosac.errors import ArmingError, ConfigError, NotArmedError, RobotError
from robosac.executor import Executor
from robosac.executor_child import ExecutorChild
from robosac.executor_process import ChildDocument
from robosac.reasons import Reason
from robosac.remote_executor import RemoteExecutor
from robosac.settings import MinitaurConfig, WalkSection
from robosac.states import SafetyState
from robosac.tasks.driving import Driver
from robosac.tasks.legs import joints_from_legs
from robosac.tasks.walk_reset import WalkReset
from robosac.ticks import Tick
from sim.served import ServedTwin, served
from tests.robosac.served_child_rig import MODULE, Ports

pytestmark = pytest.mark.realtime

PATIENCE_S = 60.0
OVERRIDES = (
    *("executor.period_s=0.02", "executor.hold_after_s=0.5", "executor.silence_s=10"),
    *("executor.damp_after_s=1.0", "executor.stop_after_s=2.0", "task.reset=self"),
)
CONTROL_PERIOD_S = 0.02
WATCHDOG_S = 0.1


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[ServedTwin]:
    with served("minitaur") as twin:
        yield twin


@pytest.fixture
def remote(twin: ServedTwin, tmp_path: Path) -> Iterator[RemoteExecutor]:
    ports = Ports(str(tmp_path), twin.path("legs"), twin.path("imu"), OVERRIDES)
    document = ChildDocument(msgspec.json.encode(ports).decode(), 0)
    remote = RemoteExecutor(ExecutorChild(document, Layout(8), MODULE), PATIENCE_S)
    yield remote
    with suppress(RobotError):
        # For a test that failed; one that did not has closed it.
        remote.close()


def stance() -> np.ndarray:
    config = load_preset("minitaur")
    assert isinstance(config, MinitaurConfig)
    task = config.task
    return joints_from_legs(
        np.full(4, task.swing_centre_rad), np.full(4, task.extension_centre_rad)
    )


def stand(remote: RemoteExecutor) -> None:
    """Arm and walk into the stance; begun anew where a busy machine was too late for it."""
    driver, end = Driver(remote, CONTROL_PERIOD_S), time.monotonic() + PATIENCE_S
    problem: object = "nothing was tried"
    while time.monotonic() < end:
        try:
            for name in {entry.fault.name for entry in remote.faults}:
                remote.clear(name)
            remote.arm()
            tick = driver.move(stance(), 0.5)
            if tick.safety is SafetyState.ACTIVE:
                return
            problem = tick.faults
            remote.disarm()
        except (ArmingError, NotArmedError, RobotError) as error:
            problem = error
    raise AssertionError(f"it never stood: {problem}")


@dataclass
class Nobody:
    """A person who is not called."""

    def place(self, seed: int, faults: tuple[str, ...]) -> None:
        raise AssertionError(f"called for {faults}")

    def released(self) -> bool:
        return False

    def begin(self, seed: int) -> None:
        pass


def climbs_or_lies_without_torque(twin: ServedTwin, remote: RemoteExecutor) -> None:
    """The ladder of a robot whose legs went limp; on a busy machine it may be too late for it."""
    settings = WalkSection(reset="self", get_up_retries=1, control_period_s=CONTROL_PERIOD_S)
    done = WalkReset(remote, Nobody(), settings).climb(stance())
    assert remote.statistics().limited["recovering"] > 0
    if isinstance(done, Tick):
        assert done.safety is SafetyState.ACTIVE
        assert not done.reasons & Reason.RECOVERING
        remote.disarm()
    assert remote.safety in (SafetyState.DISARMED, SafetyState.FAULT), done
    assert set(twin.ask("state")["modes"].values()) == {"STOPPED"}


def test_it_stands_lets_go_and_dies_without_driving_on(
    twin: ServedTwin, remote: RemoteExecutor
) -> None:
    stand(remote)
    state = remote.state
    assert state is not None
    assert np.abs(state.joints.position - stance()).max() < 0.5
    assert state.imu is not None
    assert state.imu.tilt < 0.3
    assert state.tracker is not None
    assert set(twin.ask("state")["modes"].values()) == {"POSITION"}
    remote.disarm()
    assert set(twin.ask("state")["modes"].values()) == {"STOPPED"}
    climbs_or_lies_without_torque(twin, remote)
    state = remote.state
    assert state is not None
    assert not state.joints.driving.any()
    assert remote.bus_statistics().exchanges > 20
    stand(remote)
    os.kill(remote.pid, signal.SIGKILL)
    with pytest.raises(RobotError, match="watchdogs stop them"):
        remote.arm()
    with pytest.raises(RobotError, match="not read back as off"):
        remote.close()
    end = time.monotonic() + PATIENCE_S
    while "POSITION" in (after := twin.ask("state"))["modes"].values():
        assert time.monotonic() < end
    # By the twin's own clock: from a motor's last frame to its last moment of drive.
    drove = [after["last_position_s"][id] - at for id, at in after["last_frame_s"].items()]
    assert 0.0 <= max(drove) <= WATCHDOG_S + twin.step_s + 1e-9


def test_serial_ports_get_a_process_of_their_own(tmp_path: Path) -> None:
    nominal = Path(robosac.robots.__file__).with_name("claw.yaml")
    document = yaml.safe_load(nominal.read_text())
    with served("claw") as twin:
        port = twin.ports["servos"]
        document["port"] = {"path": port["path"], "baud": port["baud"]}
        file = tmp_path / "claw.yaml"
        file.write_text(yaml.safe_dump(document, sort_keys=False))
        overrides = [f"robot.file={file}", "robot.address=serial", "executor.answer_within_s=10"]
        stage = make_stage(load_preset("claw", overrides))
        executor = stage.executor
        assert isinstance(executor, RemoteExecutor)
        assert stage.gate is executor.gate
        assert executor.limits.names == tuple(document["motors"])
        assert executor.limits.tilt == np.inf
        assert executor.tick().safety is SafetyState.DISARMED
        stage.gate.trip("a test")
        while executor.safety is not SafetyState.FAULT:
            executor.tick()
        assert executor.faults[0].fault.detail == "a test"
        os.kill(executor.pid, signal.SIGKILL)
        with pytest.raises(RobotError, match="not read back as off"):
            stage.env.close()


def test_a_twin_in_virtual_time_stays_in_this_process() -> None:
    stage = make_stage(load_preset("claw"))
    assert isinstance(stage.executor, Executor)
    stage.env.close()
    with pytest.raises(ConfigError, match=r"own needs robot.address serial, got twin://claw"):
        make_stage(load_preset("claw", ["executor.process=own"]))
