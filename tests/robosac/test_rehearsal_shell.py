"""A stop from another shell: what its answer means, and whom else it would reach."""

import os
import re
import time
from pathlib import Path

import msgspec
import pytest

from robosac.owner import RECORD, MotorPort, Owner, birth
from robosac.rehearsal.shell import ShellAnswer, strangers, understood

DOCUMENT = {
    "stopped": True,
    "robots": [{"torque_off": True, "how": "owner", "seconds": 0.012, "robot": "claw"}],
    "unreadable": [],
}


def test_a_stop_that_the_executor_confirmed() -> None:
    assert understood(0, msgspec.json.encode(DOCUMENT), b"") == ShellAnswer("", 0.012)


@pytest.mark.parametrize(
    ("code", "robots", "says"),
    [
        (1, [], "ended with 1: .* nothing was stopped"),
        (0, [], "stopped 0 robots"),
        (0, DOCUMENT["robots"] * 2, "stopped 2 robots"),  # type: ignore[operator]
        (
            0,
            [{"torque_off": True, "how": "ports", "seconds": 1.0}],
            "by ports, not by the executor",
        ),
        (0, [{"torque_off": False, "how": "none", "seconds": 1.0}], "valid is this one"),
        (0, "nobody", "no answer"),
    ],
)
def test_a_stop_that_did_not_succeed(code: int, robots: object, says: str) -> None:
    out = msgspec.json.encode({**DOCUMENT, "robots": robots})
    answer = understood(code, out, b"robosac: nothing was stopped")
    assert re.search(says, answer.problem)


def record(folder: Path, robot: str) -> None:
    """As if this process owned a robot there."""
    folder.mkdir(mode=0o700)
    born = birth(os.getpid())
    assert born is not None
    owner = Owner(
        robot=robot, pid=os.getpid(), born=born, user="me", host="here", command="test",
        started=time.strftime("%F"), epoch=1, motors=MotorPort("moteus", "/dev/null", 1, (1,)),
    )  # fmt: skip
    (folder / f"{robot}{RECORD}").write_bytes(msgspec.json.encode(owner))


def test_only_robots_beside_the_rehearsal_are_strangers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        folder.mkdir(mode=0o700)
        record(folder / "robosac", "minitaur")
    known = [ours / "robosac", theirs / "robosac"]
    monkeypatch.setattr("robosac.rehearsal.shell.known_folders", lambda environment: known)
    (found,) = strangers({"XDG_RUNTIME_DIR": str(ours)})
    assert f"process {os.getpid()}" in found
    assert len(strangers({"XDG_RUNTIME_DIR": str(tmp_path)})) == 2
