"""`robosac actor` and `robosac learner` as two programs, as on two machines."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from robosac import checkpoint
from robosac.cli import app
from robosac.metrics import EvaluationRow
from robosac.runs import RunFolder

ROOT = Path(__file__).parents[2]
run = CliRunner().invoke
PROGRAM = (sys.executable, "-c", "from robosac.cli import main; main()")
SMALL = (
    "gym:Pendulum-v1", "--steps=400", "--sac.random-steps=100", "--sac.batch-size=16",
    "--sac.hidden-units=[16,16]", "--sac.replay-capacity=2000", "--sac.updates-per-step=0.5",
    "--evaluation.episodes=1",
)  # fmt: skip


def start(here: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=here,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def learner(here: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A learner that is ended as by Ctrl-C."""
    process = start(here, "learner", *arguments)
    try:
        yield process
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
    finally:
        process.kill()
        process.communicate()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_two_programs_with_certificates_train_and_go_on(tmp_path: Path) -> None:
    for command in (
        ["init", "keys"],
        ["issue", "keys", "--role", "learner", "--name", "desk"],
        ["issue", "keys", "--role", "robot", "--name", "dog-1"],
    ):
        result = run(app, ["keys", *command[:1], str(tmp_path / command[1]), *command[2:]])
        assert result.exit_code == 0, result.output
    address = f"127.0.0.1:{free_port()}"
    desk = ("--listen", address, "--keys", "keys/learner-desk")
    dog = ("--learner", address, "--keys", "keys/robot-dog-1")
    with learner(tmp_path, *SMALL, *desk, "--run=desk"):
        actor = start(tmp_path, "actor", *SMALL, *dog, "--run=dog")
        said, _ = actor.communicate(timeout=120)
        assert actor.returncode == 0, said
    newest = checkpoint.latest(tmp_path / "desk")
    assert newest is not None
    assert checkpoint.read_document(newest)["step"] == 400
    kept = max((tmp_path / "dog" / "policies").iterdir())
    kept.write_bytes(kept.read_bytes()[:-1])
    # A new sitting of both: nothing is left to do, and both know it.
    with learner(tmp_path, "--resume=desk", *desk):
        again = start(tmp_path, "actor", "--resume=dog", *dog)
        said, _ = again.communicate(timeout=120)
        assert again.returncode == 0, said
    assert f"warning: a policy kept here is not fit: dog/policies/{kept.name}" in said
    rows = RunFolder.open(tmp_path / "dog").rows()
    assert [row.step for row in rows if isinstance(row, EvaluationRow)] == [400]
    result = run(app, ["evaluate", str(tmp_path / "dog"), "--episodes", "1", "--no-video"])
    assert result.exit_code == 0, result.output


def test_another_run_may_begin_with_what_one_has_learned(tmp_path: Path) -> None:
    socket_folder = tmp_path / "door"
    socket_folder.mkdir(mode=0o700)
    address = f"unix:{socket_folder}/link"
    with learner(tmp_path, *SMALL, "--listen", address, "--run=first"):
        actor = start(tmp_path, "actor", *SMALL, "--learner", address, "--run=a")
        said, _ = actor.communicate(timeout=120)
        assert actor.returncode == 0, said
    with learner(tmp_path, *SMALL, "--listen", address, "--run=second", "--warm-start=first"):
        actor = start(tmp_path, "actor", *SMALL, "--steps=200", "--learner", address, "--run=b")
        said, _ = actor.communicate(timeout=120)
        assert actor.returncode == 0, said
    newest = checkpoint.latest(tmp_path / "second")
    assert newest is not None
    tensors, document = checkpoint.load(newest)
    assert document["step"] == 200
    assert int(tensors["learner.updates"]) == 150 + 50, "they count on"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["actor"], "needs a preset"),
        (["learner"], "needs a preset"),
        (["actor", "gym:Pendulum-v1", "--learner", "nowhere"], "HOST:PORT"),
        (["actor", "gym:Pendulum-v1", "--learner", "192.168.7.1:47820"], "there are no keys"),
        (["learner", "gym:Pendulum-v1", "--listen", "0.0.0.0:47820"], "there are no keys"),
        (["learner", "gym:Pendulum-v1", "--keys", "none"], "none"),
        (["learner", "gym:Pendulum-v1", "--warm-start", "none"], "not a run folder"),
        (["actor", "--resume", "none"], "not a run folder"),
        (["actor", "gym:Pendulum-v1", "--resume", "none"], "give no preset"),
        (["pause", "none"], "not a run folder"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(app, arguments)
    assert result.exit_code == 2, result.output
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
