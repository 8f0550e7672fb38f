"""Levels and what they come to."""

from itertools import product

import msgspec
import pytest

from robosac.check.report import document, report_of, table, verdict
from robosac.check.row import Level, Row, judged, on_a_twin, reds, worst


def row(level: Level, name: str = "disk") -> Row:
    return judged(name, level, "found", "valid", "mend")


def test_a_remedy_is_told_only_where_there_is_something_to_mend() -> None:
    assert [row(level).remedy for level in Level] == ["", "", "mend", "mend"]


@pytest.mark.parametrize(("first", "second"), list(product(Level, Level)))
def test_the_worst_row_is_the_verdict(first: Level, second: Level) -> None:
    rank = [Level.TWIN, Level.GREEN, Level.AMBER, Level.RED]
    assert worst([row(first), row(second)]) is max(first, second, key=rank.index)


def test_nothing_looked_at_is_nothing_wrong_and_a_twin_row_is_no_red() -> None:
    assert worst([]) is Level.GREEN
    assert reds([on_a_twin("port", "a", "b"), row(Level.AMBER)]) == ()
    assert reds([row(Level.RED, "a"), row(Level.GREEN), row(Level.RED, "b")])[1].name == "b"


def test_a_row_in_one_line_names_itself_and_its_remedy() -> None:
    assert str(row(Level.RED)) == "disk: found; valid is valid; mend"
    assert str(row(Level.GREEN)) == "disk: found; valid is valid"


def test_the_document_is_what_a_machine_was_promised() -> None:
    rows = (row(Level.RED), on_a_twin("port legs", "in this process", "a device"))
    told = msgspec.json.decode(document(report_of("claw", "mine", "serial", "robot", rows)))
    assert told == {
        "format": 1,
        "preset": "claw",
        "robot": "mine",
        "address": "serial",
        "place": "robot",
        "verdict": "red",
        "rows": [
            {
                "name": "disk",
                "level": "red",
                "found": "found",
                "valid": "valid",
                "remedy": "mend",
            },
            {
                "name": "port legs",
                "level": "twin",
                "found": "in this process",
                "valid": "a device",
                "remedy": "",
            },
        ],
    }


def test_the_table_has_every_row_and_the_verdict_says_what_follows() -> None:
    rows = tuple(row(level, f"[{level.value}]") for level in Level)
    report = report_of("claw", "mine", "serial", "robot", rows)
    assert table(report).row_count == len(rows)
    assert verdict(report) == "1 red, 1 amber, 1 green, 1 twin: arming would be refused"
    fine = report_of("claw", "mine", "serial", "robot", rows[:3])
    assert verdict(fine).endswith("nothing refuses arming")
