"""Stopping real processes that drive a twin in real time: answered, hanging, frozen, killed."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from robosac.cli import app
from robosac.fault_journal import journal_path, read_journal
from robosac.owner import owners
from sim.served import ServedTwin, served

pytestmark = pytest.mark.realtime

RUNNER = CliRunner()
END_S = 60.0


class Site:
    """A served twin, and folders of its own for whoever drives it."""

    def __init__(self, twin: ServedTwin, folder: Path) -> None:
        self.twin, self.folder = twin, folder
        self.hosts: list[subprocess.Popen[str]] = []

    def host(self, what: str, *rest: str) -> subprocess.Popen[str]:
        ports = (self.twin.path("legs"), self.twin.path("imu"))
        words = ("tests.sweeps.estop_host", what, *ports, str(self.folder / "state"), *rest)
        host = subprocess.Popen([sys.executable, "-m", *words], stdout=subprocess.PIPE, text=True)
        self.hosts.append(host)
        return host

    def driving(self, what: str, *rest: str) -> subprocess.Popen[str]:
        host = self.host(what, *rest)
        assert host.stdout is not None
        assert host.stdout.readline() == "driving\n"
        assert not self.stopped()
        return host

    def estop(self, *arguments: str) -> tuple[int, dict[str, object]]:
        done = RUNNER.invoke(app, ["estop", "--json", *arguments])
        return done.exit_code, json.loads(done.stdout)

    def stopped(self) -> bool:
        return set(self.twin.ask("state")["modes"].values()) == {"STOPPED"}

    def latched(self) -> list[str]:
        """Details of the faults in the journal, which follow the stop: motors before disks."""
        end = time.monotonic() + END_S
        path = journal_path("minitaur", self.folder / "state")
        while not (found := read_journal(path).latched):
            assert time.monotonic() < end, "nothing was written down"
        return [f"{entry.fault.name}: {entry.fault.detail}" for entry in found]


@pytest.fixture(scope="module")
def twin() -> Iterator[ServedTwin]:
    with served("minitaur") as twin:
        yield twin


@pytest.fixture
def site(twin: ServedTwin, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    # Not pytest's folder: the path of a socket must be short.
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        site = Site(twin, Path(folder))
        yield site
        for host in site.hosts:
            host.kill()
            host.wait()
            assert host.stdout is not None
            host.stdout.close()


def test_an_owner_that_ticks_confirms(site: Site) -> None:
    host = site.driving("tick")
    run = site.folder / "robosac"
    assert stat.S_IMODE(run.stat().st_mode) == 0o700
    code, said = site.estop("--wait", "10")
    assert code == 0
    (robot,) = said["robots"]  # pyright: ignore[reportGeneralTypeIssues]
    assert (robot["how"], robot["torque_off"], robot["killed"]) == ("owner", True, False)
    assert site.stopped()
    assert host.poll() is None
    (fault,) = site.latched()
    assert fault.startswith("estop: robosac estop by ")

    # The way back has two steps, and a running executor takes both.
    state = ["--folder", str(site.folder / "state")]
    refused = RUNNER.invoke(app, ["faults", "--clear", "estop", *state])
    assert refused.exit_code == 1
    assert "its gate is tripped" in refused.stderr
    assert RUNNER.invoke(app, ["estop", "--reset"]).exit_code == 0
    assert RUNNER.invoke(app, ["faults", "--clear", "estop", *state]).exit_code == 0
    assert not read_journal(journal_path("minitaur", site.folder / "state")).latched
    assert site.stopped()


@pytest.mark.parametrize("way", ["hang", "freeze", "kill"])
def test_an_owner_that_cannot_confirm_is_stopped_without_it(site: Site, way: str) -> None:
    host = site.driving("hang" if way == "hang" else "tick")
    if way == "freeze":
        host.send_signal(signal.SIGSTOP)
    if way == "kill":
        host.kill()
        host.wait()
    code, said = site.estop("--wait", "0.3")
    (robot,) = said["robots"]  # pyright: ignore[reportGeneralTypeIssues]
    assert (code, robot["how"], robot["torque_off"]) == (0, "ports", True), robot
    assert robot["killed"] is (way != "kill")
    assert host.wait(END_S) == -signal.SIGKILL
    assert site.stopped()
    assert not list((site.folder / "robosac").glob("*.owner.json"))
    # Nothing runs any more, and that is no success.
    assert site.estop() == (1, {"stopped": False, "robots": [], "unreadable": []})


def test_sigusr1_trips_and_nothing_ends(site: Site) -> None:
    host = site.driving("tick")
    for _ in range(2):
        host.send_signal(signal.SIGUSR1)
        end = time.monotonic() + END_S
        while not site.stopped():
            assert time.monotonic() < end
        assert site.latched() == ["estop: signal SIGUSR1"]
    assert host.poll() is None


def test_a_second_operator_is_refused_with_the_owners_name(site: Site) -> None:
    host = site.driving("tick")
    second = site.host("tick")
    assert second.wait(END_S) == 3
    assert second.stdout is not None
    refusal = json.loads(second.stdout.readline())["refused"]
    assert f"process {host.pid} (" in refusal
    assert "epoch 1" in refusal
    assert host.poll() is None
    assert not site.stopped()


@pytest.mark.parametrize("frozen", [False, True])
def test_a_take_over_ends_the_owner_and_is_logged(site: Site, frozen: bool) -> None:
    first = site.driving("tick")
    if frozen:
        first.send_signal(signal.SIGSTOP)
    second = site.host("tick", "take-over")
    assert first.wait(END_S) == (-signal.SIGKILL if frozen else 0)
    assert second.stdout is not None
    told = second.stdout.readline()
    if frozen:
        assert told == "driving\n"
    else:
        # The first had time to latch why it stopped, and the second does not arm over that.
        assert "estop" in json.loads(told)["faults"]
        assert site.stopped()
    logs = [path.read_text() for path in (site.folder / "state").glob("*.leases.jsonl")]
    lines = [json.loads(line) for line in logs[0].splitlines() if line]
    assert [line["how"].partition(" ")[0] for line in lines] == ["free", "take-over"]
    assert lines[1]["epoch"] > lines[0]["epoch"]
    assert f"process {first.pid} " in lines[1]["how"]


def test_owners_that_died_leave_the_robot_free(site: Site) -> None:
    host = site.driving("tick")
    host.kill()
    host.wait()
    again = site.driving("tick")
    (_, owner), *more = owners(site.folder / "robosac")[0]
    assert (owner.pid, owner.epoch, more) == (again.pid, 2, [])
    again.send_signal(signal.SIGTERM)
    assert again.wait(END_S) == 0
    assert site.stopped()
    assert not list((site.folder / "robosac").glob("*.owner.json"))
