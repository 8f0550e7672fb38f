"""`robosac faults`, `estop` and `keepalive` where nothing runs: what is said, and exit codes."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from robosac.cli import app
from robosac.fault_journal import FaultJournal, journal_path, read_journal
from robosac.hal import Fault
from robosac.latch import LatchedFault


@pytest.fixture(autouse=True)
def nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state folder, with faults of two robots."""
    folder = tmp_path / "state" / "robosac"
    for robot, names in (("dog", ("fell", "estop")), ("hand", ("estop",))):
        journal = FaultJournal(journal_path(robot, folder), "test")
        journal.write_latched(
            [
                LatchedFault(Fault(name, "source", "detail"), 1.0, number)
                for number, name in enumerate(names, start=1)
            ]
        )
        journal.close()
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_faults_are_listed(state: Path) -> None:
    listed = run("faults")
    assert listed.exit_code == 0
    assert "dog: fell (source): detail; id 1, 20" in listed.stdout
    document = json.loads(run("faults", "dog", "--json").stdout)
    assert [(one["robot"], one["id"], one["name"]) for one in document["latched"]] == [
        ("dog", 1, "fell"),
        ("dog", 2, "estop"),
    ]
    assert run("faults", "--folder", str(state / "none")).stdout == "no latched faults\n"


def test_a_fault_is_cleared_by_name_and_the_rest_stays(state: Path) -> None:
    cleared = run("faults", "--clear", "fell")
    assert cleared.exit_code == 0
    assert "fell" not in cleared.stdout
    latched = read_journal(journal_path("dog", state)).latched
    assert [entry.fault.name for entry in latched] == ["estop"]
    assert '"by":"' in journal_path("dog", state).read_text()
    assert len(read_journal(journal_path("hand", state)).latched) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--clear", "estop"), "robots dog, hand have it: name one"),
        (("--clear", "overspeed"), "no robot has it latched"),
        (("cat",), "there are: dog, hand"),
    ],
)
def test_what_is_not_clear_is_refused(state: Path, arguments: tuple[str, ...], says: str) -> None:
    refused = run("faults", *arguments)
    assert refused.exit_code == 2
    assert says in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_journal_in_use_is_not_cleared_behind_its_writers_back(state: Path) -> None:
    journal = FaultJournal(journal_path("dog", state), "an executor without a socket")
    refused = run("faults", "--clear", "fell")
    journal.close()
    assert refused.exit_code == 1
    assert "another process" in refused.stderr


def test_estop_is_no_success_where_nothing_runs() -> None:
    said = run("estop")
    assert said.exit_code == 1
    assert "no executor on serial ports was found" in said.stderr
    assert run("estop", "--reset").exit_code == 1


def test_estop_says_when_a_record_cannot_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "robosac"
    folder.mkdir(mode=0o700)
    (folder / "dog.owner.json").write_text("{")
    said = run("estop")
    assert said.exit_code == 1
    assert "dog.owner.json cannot be read: a robot may be running" in said.stdout


def test_keepalive_makes_its_key_and_wants_a_name(tmp_path: Path) -> None:
    key = tmp_path / "key"
    assert run("keepalive", "--make-key", "--key", str(key)).exit_code == 0
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert run("keepalive", "--key", str(key)).exit_code == 2
    refused = run("keepalive", "desk", "--key", str(tmp_path / "none"))
    assert (refused.exit_code, "cannot be read" in refused.stderr) == (2, True)
