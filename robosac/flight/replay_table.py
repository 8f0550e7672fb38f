"""What a replay found, for a person and for a machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from robosac.flight.log import FlightLog, plain
from robosac.flight.replay import Difference, Replayed

MOST_LINES: Final = 50


def document(log: FlightLog, replayed: Replayed) -> dict[str, Any]:
    """Everything, as JSON has it."""
    header = log.header
    return {
        "robot": header.robot,
        "recorded_by": header.robosac,
        "reason": header.reason,
        "created": header.created,
        "exchanges": replayed.exchanges,
        "limited": replayed.limited,
        "inspected": replayed.inspected,
        "skipped": replayed.skipped,
        "counts": counts(replayed),
        "differences": [plain(difference) for difference in replayed.differences],
    }


def counts(replayed: Replayed) -> dict[str, int]:
    """How many things differ, by kind."""
    return dict(Counter(difference.what for difference in replayed.differences))


def lines(path: Path, log: FlightLog, replayed: Replayed) -> Iterator[str]:
    """A short account; of many differences only the first."""
    header, differences = log.header, replayed.differences
    yield f"{path}: {header.robot}, robosac {header.robosac}, {header.created}, {header.reason}"
    yield (
        f"{replayed.exchanges} exchanges; decided again: {replayed.limited} by the limiter,"
        f" {replayed.inspected} by the monitor; {replayed.skipped} skipped"
    )
    yield from map(_line, differences[:MOST_LINES])
    if len(differences) > MOST_LINES:
        yield f"... and {len(differences) - MOST_LINES} more; --json tells all"
    told = ", ".join(f"{what} {count}" for what, count in counts(replayed).items())
    yield f"{len(differences)} differences ({told})" if differences else "no differences"


def _line(difference: Difference) -> str:
    where = f" {difference.joint}" if difference.joint else ""
    return (
        f"exchange {difference.sequence}, {difference.time:.4f} s, {difference.what}{where}:"
        f" recorded {_text(difference.recorded)}, today {_text(difference.today)}"
    )


def _text(value: Any) -> str:
    """A number with all its digits, or names."""
    if isinstance(value, list):
        return " ".join(value) or "none"
    return repr(value) if isinstance(value, float) else str(value)
