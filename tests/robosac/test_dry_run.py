"""The rehearsal from end to end, for a few seconds, with every process and port real."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

import robosac
from robosac.cli import app
from robosac.dry_run import loop_of
from robosac.lateness import LatenessHistogram
from robosac.rehearsal.report import JSON_NAME, PAGE_NAME, Rehearsal, read

ROOT = str(Path(robosac.__file__).parents[1])
COMMAND = (sys.executable, "-c", "from robosac.cli import main; main()", "dry-run")
FAULTS = ("motor-off", "estop-signal")
SLOW = 0.8
WAIT_S = 120.0


def start(folder: Path, *more: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": ROOT, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*COMMAND, "claw", "--out", str(folder / "run"), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=environment,
    )


def outcome_of(folder: Path) -> Rehearsal:
    found = read(folder / "run" / JSON_NAME)
    if found.real_time_factor < SLOW:
        pytest.skip(f"this computer is too busy for real time: {found.real_time_factor:.2f} of it")
    return found


def test_a_short_rehearsal_holds(tmp_path: Path) -> None:
    process = start(tmp_path, "--seconds", "2", "--faults", ",".join(FAULTS), "--json")
    out, err = process.communicate(timeout=WAIT_S)
    found = outcome_of(tmp_path)
    assert process.returncode == 0, err
    assert found.held
    assert [outcome.name for outcome in found.outcomes] == list(FAULTS)
    first, stop = found.outcomes
    assert "joint_lost" in first.told
    assert first.stopped_s is not None
    assert stop.cleared == ("estop",)
    assert found.learning.steps > 0
    assert found.learning.stored > 0
    assert found.loop.ticks > 0
    assert found.loop.watchdog_trips == 0
    assert '"preset"' in out
    assert "every check held" in (tmp_path / "run" / PAGE_NAME).read_text()
    assert (tmp_path / "run" / "robot.yaml").exists()


def test_ctrl_c_ends_it_and_leaves_nobody_behind(tmp_path: Path) -> None:
    process = start(tmp_path, "--seconds", "60", "--faults", "none")
    end = time.monotonic() + WAIT_S
    while not (tmp_path / "run" / "learner" / "learner.log").exists():
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 130
    assert "interrupted" in err
    # The learner may be importing still; it leaves by itself when it finds the actor gone.
    while processes(str(tmp_path)):
        assert time.monotonic() < end
        time.sleep(0.1)
    found = read(tmp_path / "run" / JSON_NAME)
    assert found.interrupted
    assert not found.held
    assert found.unseen == ()


def processes(text: str) -> list[str]:
    """Command lines of running processes that hold `text`."""
    found: list[str] = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["gym:Pendulum-v1"], "cannot be rehearsed; valid are minitaur, claw, claw-pixels"),
        (["claw", "--faults", "imu-off"], "no fault 'imu-off' in a rehearsal of claw"),
    ],
)
def test_what_cannot_be_rehearsed_is_said_in_one_line(arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(app, ["dry-run", *arguments])
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_rehearsal_never_overwrites(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["dry-run", "claw", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "exists; name another with --out" in result.stderr


def test_a_loop_that_never_ran_has_no_lateness() -> None:
    loop = loop_of(LatenessHistogram(), 0, 0)
    assert loop.lateness_p50_ms is None
    assert loop.lateness_max_ms is None
    histogram = LatenessHistogram()
    histogram.add(0.002)
    assert loop_of(histogram, 3, 1).lateness_max_ms == pytest.approx(2.0)
