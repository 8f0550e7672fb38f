"""What a rehearsal leaves behind: a document, a page, a table."""

import io
import re
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from robosac.errors import ConfigError
from robosac.rehearsal.report import (
    FORMAT,
    HEAD,
    Learning,
    Loop,
    Rehearsal,
    cells,
    console_table,
    milliseconds,
    not_held,
    page_text,
    read,
    remarks,
    summary,
    write,
)
from robosac.rehearsal.verdict import Outcome

HELD = Outcome(
    name="motor-off",
    hazard=15,
    fault="motor silent",
    phase="acting",
    required="L4",
    reached="L4",
    budget_s=0.055,
    detection_s=0.0123,
    reaction_s=0.0473,
    machine_s=0.0004,
    stop_budget_s=0.15,
    stopped_s=0.051,
    told=("joint_lost",),
    cleared=("joint_lost",),
    recovered=True,
    held=True,
    why="",
    conclusive=True,
    anew=0,
)
FAILED = msgspec.structs.replace(
    HELD, name="bad", fault="<script>alert(1)</script>", held=False, why="a & b < c",
    reaction_s=None, stopped_s=None,
)  # fmt: skip


def rehearsal(*outcomes: Outcome, **more: object) -> Rehearsal:
    found = Rehearsal(
        format=FORMAT,
        preset="minitaur",
        seed=3,
        started="2026-01-02 03:04:05",
        wall_s=61.5,
        held=True,
        preflight=(("port", "/dev/<x>: device"),),
        outcomes=outcomes,
        left_out={4: "proved & swept"},
        not_enacted={"estop-shell": "it would also stop others"},
        unseen=(),
        loop=Loop(
            ticks=12000,
            skipped=2,
            lateness_p50_ms=0.1,
            lateness_p99_ms=1.5,
            lateness_p99_9_ms=4.25,
            lateness_max_ms=None,
            watchdog_trips=0,
        ),
        learning=Learning(steps=3000, episodes=12, updates=2900, stored=2990, policies=5),
        real_time_factor=0.998,
        warnings=("SCHED_FIFO <refused>",),
        failures=(),
        interrupted=False,
    )
    return msgspec.structs.replace(found, **more)


def test_the_document_comes_back(tmp_path: Path) -> None:
    found = rehearsal(HELD, FAILED, held=False)
    document, page = write(tmp_path, found)
    assert read(document) == found
    assert page.read_text().startswith("<!doctype html>")


def test_what_did_not_hold_can_be_rehearsed_again(tmp_path: Path) -> None:
    write(tmp_path, rehearsal(HELD, FAILED, msgspec.structs.replace(FAILED, name="worse")))
    assert not_held(tmp_path, "minitaur") == "bad,worse"
    with pytest.raises(ConfigError, match="claw is asked for"):
        not_held(tmp_path, "claw")
    write(tmp_path, rehearsal(HELD, FAILED, unseen=("later", "last"), interrupted=True))
    assert not_held(tmp_path, "minitaur") == "bad,later,last", "what was not come to is no success"
    write(tmp_path, rehearsal(HELD))
    assert not_held(tmp_path, "minitaur") == "none"
    with pytest.raises(ConfigError, match="holds no rehearsal"):
        not_held(tmp_path / "nowhere", "minitaur")


def test_another_document_is_refused(tmp_path: Path) -> None:
    document, _ = write(tmp_path, rehearsal(format=99))
    with pytest.raises(ValueError, match="format 99; valid is 2"):
        read(document)
    document.write_text("{}")
    with pytest.raises(ValueError, match="missing required field"):
        read(document)


def test_the_schema_says_what_every_field_is() -> None:
    schema = msgspec.json.schema(Rehearsal)
    parts = schema["$defs"]
    assert set(parts["Outcome"]["required"]) == set(parts["Outcome"]["properties"])
    assert set(parts["Rehearsal"]["required"]) == set(parts["Rehearsal"]["properties"])


def test_the_page_is_escaped_and_loads_nothing() -> None:
    text = page_text(rehearsal(HELD, FAILED, held=False))
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "a &amp; b &lt; c" in text
    assert "/dev/&lt;x&gt;: device" in text
    assert "SCHED_FIFO &lt;refused&gt;" in text
    assert not re.search(r"""(src|href)\s*=|url\(|@import""", text)
    assert "$" not in text
    assert 'class="bad">not every check held' in text
    assert "every check held" in page_text(rehearsal(HELD))


def test_the_table_has_a_cell_for_every_head() -> None:
    for outcome in (HELD, FAILED):
        assert len(cells(outcome)) == len(HEAD)
    console = Console(width=250, record=True, file=io.StringIO())
    console.print(console_table(rehearsal(HELD, FAILED)))

    shown = console.export_text()
    assert "12.3 ms" in shown
    assert "47.3 ms" in shown
    assert "L4 of L4" in shown
    assert "FAILED: a & b < c" in shown


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "–"), (0.0123, "12.3 ms"), (1.2, "1200 ms"), (-0.2, "-200 ms")]
)
def test_times(seconds: float | None, text: str) -> None:
    assert milliseconds(seconds) == text


def test_what_did_not_hold_is_said_first() -> None:
    found = rehearsal(
        HELD, FAILED, held=False, unseen=("imu-off",), failures=("a motor was still driven",)
    )
    assert summary(found) == "1 of 2 faults held, 1 not come to, 1 other checks failed"
    lines = remarks(found)
    assert "FAILED: a motor was still driven" in lines
    assert "FAILED: not come to: imu-off" in lines
    assert "not enacted: estop-shell: it would also stop others" in lines
    assert "warning: SCHED_FIFO <refused>" in lines
    assert any("max – ms; 2 skipped in all" in line for line in lines)


def test_a_case_that_was_enacted_anew_says_so() -> None:
    again = msgspec.structs.replace(HELD, anew=1)
    assert cells(again)[-1] == "held (enacted anew 1x)"
    assert cells(HELD)[-1] == "held"
