"""A whole comparison of contenders that take as long as they are told."""

from __future__ import annotations

import io
import json

import msgspec
import pytest
from rich.console import Console

from robosac.errors import PeerFailed
from robosac.peers.comparison import Report, compare
from robosac.peers.showing import remarks, tables
from tests.robosac.peers.peers_rig import EVERYBODY, PICTURES, PLAN, TINY, FakeStage


@pytest.fixture(autouse=True)
def everybody_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robosac.peers.catalogue.find_spec", lambda name: object())


def only_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robosac.peers.catalogue.find_spec", lambda name: None)


def shown(report: Report) -> str:
    console = Console(width=200, file=io.StringIO(), record=True)
    for table in tables(report):
        console.print(table)
    return console.export_text()


def test_speeds_are_told_beside_the_reference_and_beside_robosac() -> None:
    (row,) = FakeStage(EVERYBODY).report().updates
    assert row.case == TINY
    assert row.reference == "stable-baselines3"
    assert list(row.contenders) == list(EVERYBODY)
    ours, scanned = row.contenders["robosac"], row.contenders["SBX, 20 a call"]
    assert ours.rate.median == pytest.approx(1000.0)
    assert ours.rate_of_cpu == pytest.approx(2000.0)
    assert ours.busy_cores == pytest.approx(0.5)
    assert ours.times_reference == pytest.approx(4.0)
    assert ours.robosac_times == pytest.approx(1.0)
    assert scanned.times_reference == pytest.approx(8.0)
    assert scanned.robosac_times == pytest.approx(0.5)
    assert ours.transition_bytes == 100
    assert ours.loaded_mb == 2.0
    # After a first turn, a warm-up, and the three that are kept.
    assert ours.resident_mb == pytest.approx(3.000005)


def test_replays_are_compared_with_the_reference_alone() -> None:
    stage = FakeStage(EVERYBODY)
    report = stage.report()
    assert [row.case for row in report.replays] == [TINY, PICTURES]
    assert all(list(row.contenders) == ["robosac", "stable-baselines3"] for row in report.replays)
    assert {start.kind for start in stage.started} == {"learner", "replay"}


def test_nobody_is_left_running_and_no_two_sizes_run_together() -> None:
    stage = FakeStage(EVERYBODY)
    stage.report()
    assert stage.open == 0
    assert len(stage.started) == len(EVERYBODY) + 2 * 2


def test_somebody_who_waits_is_told_how_long() -> None:
    told: list[str] = []
    compare(PLAN, told.append, FakeStage(EVERYBODY).start)
    assert told[0] == f"learners, {TINY.name}"
    assert told[1] == "  robosac is ready"
    # A round of four updates each takes 84 ms; the last line of the size says that none is left.
    assert "  3 of 3 rounds, about 0 s left" in told


def test_who_does_not_work_is_left_out_and_told_with_its_own_words() -> None:
    words = "TorchRL: AttributeError: no such loss"
    report = FakeStage(EVERYBODY, {"TorchRL": words}).report()
    (row,) = report.updates
    assert "TorchRL" not in row.contenders
    assert len(row.contenders) == len(EVERYBODY) - 1
    assert row.failed == {"TorchRL": words}
    assert f"{TINY.name}: {words}" in list(remarks(report))


def test_robosac_itself_must_work() -> None:
    stage = FakeStage(EVERYBODY, {"robosac": "robosac: out of memory"})
    with pytest.raises(PeerFailed, match="out of memory"):
        stage.report()
    assert stage.open == 0


def test_without_peers_the_plain_one_is_the_reference_and_they_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    only_ours(monkeypatch)
    report = FakeStage(EVERYBODY).report()
    (row,) = report.updates
    assert list(row.contenders) == ["robosac", "robosac, native core", "plain PyTorch"]
    assert row.reference == "plain PyTorch"
    assert row.contenders["robosac"].times_reference == pytest.approx(5.0)
    assert report.replays[0].reference == "robosac"
    (remark,) = remarks(report)
    for name in ("stable-baselines3", "SBX", "TorchRL", "pip install", "make peers"):
        assert name in remark


def test_where_all_are_installed_nothing_is_remarked() -> None:
    assert list(remarks(FakeStage(EVERYBODY).report())) == []


def test_tables_have_a_row_for_everybody() -> None:
    text = shown(FakeStage(EVERYBODY).report())
    for name in EVERYBODY:
        assert name in text
    assert "1,000.0" in text
    assert "8.00" in text
    # Of the replay: 1 ms a batch.
    assert "1,000 (1,000 to 1,000)" in text


def test_a_machine_reads_it_back_and_no_host_is_named() -> None:
    report = FakeStage(EVERYBODY).report()
    document = msgspec.json.encode(report)
    assert msgspec.json.decode(document, type=Report) == report
    assert set(json.loads(document)["machine"]) == {
        "processor",
        "units",
        "cores",
        "system",
        "python",
    }
    assert json.loads(document)["rounds"] == PLAN.rounds
