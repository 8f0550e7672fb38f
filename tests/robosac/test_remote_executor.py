"""The executor in its own process: moves as one here does, and never outlives trouble."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from robosac.errors import ArmingError, ConfigError, NotArmedError, RobotError
from robosac.executor import Executor
from robosac.reasons import Reason
from robosac.remote_executor import RemoteExecutor
from robosac.states import SafetyState
from robosac.tasks.driving import Driver
from robosac.tasks.motion import Motion
from robosac.ticks import Tick
from tests.robosac.executor_child_rig import PATIENCE_S, PERIOD, Script, journal, remote
from tests.robosac.fake_robot import JOINTS

pytestmark = pytest.mark.realtime

ALL = np.ones(JOINTS, dtype=np.bool_)
PARENT = """
import sys, time
import numpy as np
from tests.robosac.executor_child_rig import Script, remote
executor = remote(Script(sys.argv[1]))
executor.arm()
print(executor.pid, flush=True)
while True:
    executor.request(np.zeros(8))
    executor.tick()
"""


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(str(tmp_path / "journal"))


@pytest.fixture
def healthy(script: Script) -> Iterator[RemoteExecutor]:
    executor = remote(script)
    yield executor
    executor.close()


def until(
    executor: RemoteExecutor, good: Callable[[Tick], bool], goal: np.ndarray | None = None
) -> list[Tick]:
    """Tick, with a goal for every tick if there is one, until a tick is good."""
    ticks: list[Tick] = []
    end = time.monotonic() + PATIENCE_S
    while not ticks or not good(ticks[-1]):
        assert time.monotonic() < end, ticks[-1]
        if goal is not None:
            executor.request(goal)
        ticks.append(executor.tick())
    return ticks


def is_gone(pid: int) -> bool:
    """Whether the process has ended; a zombie that nobody has waited for counts."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def test_tasks_may_use_either_executor() -> None:
    def motion(executor: type[Motion]) -> type[Motion]:
        return executor

    assert motion(RemoteExecutor)
    assert motion(Executor)


def test_it_arms_drives_lets_go_and_disarms(healthy: RemoteExecutor, script: Script) -> None:
    assert healthy.safety is SafetyState.DISARMED
    assert healthy.warnings == ("as told",)
    with pytest.raises(NotArmedError, match="while disarmed"):
        healthy.request(np.zeros(JOINTS))
    with pytest.raises(NotArmedError, match="while disarmed"):
        healthy.free(ALL)
    healthy.arm()
    assert healthy.safety is SafetyState.ACTIVE
    assert (healthy.commanded_position == 0.0).all()
    with pytest.raises(NotArmedError, match=r"arm\(\) while"):
        healthy.arm()
    goal = np.full(JOINTS, 0.05)
    ticks = until(healthy, lambda tick: bool((tick.executed == goal).all()), goal)
    tick = ticks[-1]
    assert tick.requested is not None
    assert (np.asarray(tick.requested) == goal).all()
    assert (healthy.commanded_position == goal).all()
    assert healthy.state is tick.state
    assert tick.state.camera is not None
    assert tick.state.camera.frame is not None
    frame = tick.state.camera.frame
    assert (frame.image == frame.sequence % 256).all()
    with pytest.raises(ValueError, match="ramp must be finite"):
        healthy.request(goal, float("nan"))
    with pytest.raises(ValueError, match="valid is bool"):
        healthy.free(np.ones(3, dtype=np.bool_))
    healthy.free(ALL)
    healthy.disarm()
    assert healthy.safety is SafetyState.DISARMED
    assert healthy.statistics().entered["active"] >= 1
    assert healthy.bus_statistics().exchanges == 0
    histogram, _ = healthy.lateness()
    assert 0 < histogram.total <= healthy.statistics().ticks
    healthy.close()
    healthy.close()
    assert [word for _, word in journal(Path(script.journal))] == [
        *("stop", "position", "damp", "off", "stop", "off")
    ]


def test_a_driver_gets_periods_on_the_grid_that_know_of_its_goal(healthy: RemoteExecutor) -> None:
    healthy.arm()
    driver = Driver(healthy, 4 * PERIOD)
    goals = [np.full(JOINTS, 0.01 * step) for step in range(1, 6)]
    ended = None
    for goal in goals:
        ticks = driver.drive(goal)
        # A goal may miss a tick or two on a busy machine, and the period ends where it would have;
        # one that misses more begins a new grid.
        passed = None if ended is None else round((ticks[-1].time - ended) / PERIOD)
        assert len(ticks) == 4 or (passed == 4 and len(ticks) in (2, 3))
        ended = ticks[-1].time
        assert all(np.asarray(tick.requested)[0] == goal[0] for tick in ticks)
        times = [tick.time for tick in ticks]
        assert times == sorted(set(times))


def test_rejected_goals_cut_torque_there_as_here(healthy: RemoteExecutor) -> None:
    healthy.arm()
    for goal, reason in ((np.full(JOINTS, np.nan), Reason.NON_FINITE), (np.zeros(3), Reason.SHAPE)):
        rejected = until(healthy, lambda tick, told=reason: bool(tick.reasons & told), goal)[-1]
        assert (rejected.executed == 0.0).all()
    fault = until(healthy, lambda tick: tick.safety is SafetyState.FAULT, np.zeros(2))[-1]
    assert [entry.fault.name for entry in healthy.faults] == ["request_rejected"]
    assert fault.faults[0].name == "request_rejected"
    with pytest.raises(ArmingError, match="latched faults: request_rejected"):
        healthy.arm()
    with pytest.raises(NotArmedError, match="no fault 'estop'"):
        healthy.clear("estop")
    healthy.clear("request_rejected")
    assert healthy.faults == ()
    healthy.arm()
    assert healthy.safety is SafetyState.ACTIVE


def test_a_late_actor_holds_then_damps_then_stops(script: Script) -> None:
    hold, damp, stop = 0.3, 0.6, 0.9
    late = remote(replace(script, ages=(hold, damp, stop)))
    late.arm()
    asked = time.monotonic()
    late.request(np.zeros(JOINTS))
    ticks = until(late, lambda tick: tick.safety is SafetyState.DISARMED)
    entered: dict[SafetyState, float] = {}
    for tick in ticks:
        entered.setdefault(tick.safety, tick.time - asked)
    assert entered[SafetyState.HOLD] >= hold
    assert entered[SafetyState.DAMPED] >= damp
    assert entered[SafetyState.DISARMED] >= stop
    assert any(tick.reasons & Reason.AGE for tick in ticks)
    # Sleeping while the robot goes through all of it: the next tick is of now, not of then.
    late.arm()
    late.request(np.zeros(JOINTS))
    time.sleep(damp + 0.1)
    before = time.monotonic()
    late.request(np.zeros(JOINTS))
    tick = late.tick()
    assert tick.time >= before - 0.1
    assert tick.safety in (SafetyState.DAMPED, SafetyState.DISARMED)
    assert late.missed > 10
    with pytest.raises(NotArmedError, match=r"valid after arm\(\)"):
        late.request(np.zeros(JOINTS))
    late.close()


def test_the_gate_stops_it_from_here_and_from_anywhere(healthy: RemoteExecutor) -> None:
    healthy.arm()
    healthy.gate.trip("a person")
    tick = until(healthy, lambda tick: tick.safety is SafetyState.FAULT)[-1]
    assert tick.faults[0].detail == "a person"
    with pytest.raises(NotArmedError, match="still tripped"):
        healthy.clear("estop")
    healthy.gate.reset()
    assert not healthy.gate.tripped
    healthy.clear("estop")
    healthy.arm()
    os.kill(healthy.pid, signal.SIGUSR1)
    tick = until(healthy, lambda tick: tick.safety is SafetyState.FAULT)[-1]
    assert tick.faults[0].detail == "signal SIGUSR1 to the executor"
    assert healthy.gate.tripped
    with pytest.raises(ArmingError, match="latched faults: estop"):
        healthy.arm()
    healthy.gate.reset()
    healthy.clear("estop")
    healthy.arm()


def test_a_robot_that_lies_is_armed_and_recovers_there_as_here(
    script: Script, tmp_path: Path
) -> None:
    lies = tmp_path / "lies"
    lies.touch()
    executor = remote(replace(script, lies_while=str(lies)))
    with pytest.raises(ArmingError, match="tilt"):
        executor.arm()
    with pytest.raises(NotArmedError, match=r"recovered\(\) while disarmed"):
        executor.recovered()
    executor.arm(recovering=True)
    goal = np.full(JOINTS, 0.05)
    tick = until(executor, lambda tick: bool((tick.executed == goal).all()), goal)[-1]
    assert tick.safety is SafetyState.ACTIVE
    assert tick.reasons & Reason.RECOVERING
    with pytest.raises(ArmingError, match="tilt"):
        executor.recovered()
    assert executor.safety is SafetyState.ACTIVE
    lies.unlink()
    until(executor, lambda tick: tick.state.imu is not None and tick.state.imu.tilt < 0.1, goal)
    executor.recovered()
    tick = until(executor, lambda tick: True, goal)[-1]
    assert tick.safety is SafetyState.ACTIVE
    assert not tick.reasons & Reason.RECOVERING
    lies.touch()
    until(executor, lambda tick: tick.safety is SafetyState.DAMPED)
    executor.close()


def test_a_robot_that_shall_not_get_up_is_not_armed_so(healthy: RemoteExecutor) -> None:
    with pytest.raises(ArmingError, match="recovery"):
        healthy.arm(recovering=True)
    assert healthy.safety is SafetyState.DISARMED


def test_an_unexpected_error_ends_the_process_with_torque_off(
    script: Script, capfd: pytest.CaptureFixture[str]
) -> None:
    executor = remote(replace(script, raises_after=60))
    executor.arm()
    with pytest.raises(RobotError, match=r"exit code 1, failed.*a bug in the robot.*was read back"):
        until(executor, lambda tick: False, np.zeros(JOINTS))
    with pytest.raises(RobotError, match="a bug in the robot"):
        executor.disarm()
    with pytest.raises(RobotError, match="a bug in the robot"):
        _ = executor.safety
    # Torque was read back as off, so there is nothing left to complain of.
    executor.close()
    assert journal(Path(script.journal))[-1][1] == "off"
    assert "a bug in the robot" in capfd.readouterr().err


def test_torque_that_is_not_read_back_as_off_is_told(script: Script) -> None:
    executor = remote(replace(script, unconfirmed=True))
    executor.arm()
    with pytest.raises(RobotError, match="not every motor was read back as off"):
        executor.disarm()
    assert [entry.fault.name for entry in executor.faults] == ["stop_unconfirmed"]
    with pytest.raises(RobotError, match="not every motor was read back as off"):
        executor.close()


@pytest.mark.parametrize("raises_after", [0, 60], ids=["closed", "error"])
def test_the_robot_is_free_before_its_recordings_are_written_and_they_are_waited_for(
    script: Script, monkeypatch: pytest.MonkeyPatch, raises_after: int
) -> None:
    # Shorter than the writing: a process that has torque off and writes is not killed.
    monkeypatch.setattr("robosac.executor_child.END_TIMEOUT_S", 0.5)
    executor = remote(replace(script, writes_s=1.5, raises_after=raises_after))
    executor.arm()
    if raises_after:
        with pytest.raises(RobotError, match="a bug in the robot"):
            until(executor, lambda tick: False, np.zeros(JOINTS))
    executor.close()
    words = [word for _, word in journal(Path(script.journal))]
    assert words[-1] == "recorded"
    if not raises_after:
        assert words[-3:] == ["off", "released", "recorded"]


def test_a_robot_that_cannot_be_opened_is_refused_in_one_line(script: Script) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ConfigError, match=r"^no such port$"):
        remote(replace(script, refuses="no such port"))
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_killed_executor_is_noticed(script: Script) -> None:
    executor = remote(script)
    executor.arm()
    os.kill(executor.pid, signal.SIGKILL)
    began = time.monotonic()
    with pytest.raises(RobotError, match=r"signal 9\) without a word.*watchdogs stop them"):
        until(executor, lambda tick: False, np.zeros(JOINTS))
    # Noticed by its end, long before silence would tell.
    assert time.monotonic() - began < PATIENCE_S / 2
    with pytest.raises(RobotError, match="not read back as off"):
        executor.close()


def test_a_stopped_executor_is_killed(script: Script) -> None:
    executor = remote(script, within_s=1.0)
    executor.arm()
    os.kill(executor.pid, signal.SIGSTOP)
    with pytest.raises(RobotError, match=r"waited for 1 s for .*killed.*watchdogs stop them"):
        until(executor, lambda tick: False, np.zeros(JOINTS))
    with pytest.raises(RobotError, match="killed"):
        executor.close()
    assert is_gone(executor.pid)


def test_a_terminated_executor_ends_in_order(script: Script) -> None:
    executor = remote(script)
    executor.arm()
    os.kill(executor.pid, signal.SIGTERM)
    with pytest.raises(RobotError, match=r"exit code 0, ok.*SIGTERM; every motor was read back"):
        until(executor, lambda tick: False)
    executor.close()
    assert journal(Path(script.journal))[-1][1] == "off"


def test_a_killed_actor_leaves_no_torque_and_no_process(script: Script) -> None:
    actor = subprocess.Popen(
        [sys.executable, "-c", PARENT, script.journal], stdout=subprocess.PIPE, text=True
    )
    assert actor.stdout is not None
    executor = int(actor.stdout.readline())
    assert journal(Path(script.journal))[-1][1] == "position"
    actor.kill()
    actor.wait()
    actor.stdout.close()
    end = time.monotonic() + PATIENCE_S
    while not is_gone(executor):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert [word for _, word in journal(Path(script.journal))][-3:] == ["position", "damp", "off"]


def test_nothing_of_learning_is_loaded_there(script: Script, tmp_path: Path) -> None:
    probe = tmp_path / "modules"
    remote(replace(script, probe=str(probe))).close()
    loaded = {name.split(".")[0] for name in probe.read_text().split()}
    assert "robosac" in loaded
    assert not loaded & {"torch", "gymnasium", "mujoco", "sim", "matplotlib", "cv2"}
    names = set(probe.read_text().split())
    assert not [name for name in names if name.startswith(("robosac.sac", "robosac.tasks"))]
    assert "robosac.replay" not in names
