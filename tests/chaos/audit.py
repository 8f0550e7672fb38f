"""Whether anything was lost, doubled or changed between an actor's steps and its learner's disk."""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

from robosac import checkpoint
from robosac.store.inbox import Inbox
from robosac.store.outbox import Outbox

ALL = 1 << 40


@dataclass(frozen=True)
class Audit:
    """What was found; all but the first two must be 0."""

    committed: int
    """Transitions that the actor saw on its disk."""
    arrived: int
    """Transitions on the learner's disk."""
    lost: int
    doubled: int
    changed: int
    unlearned: int
    """On the learner's disk and in no checkpoint, of a run that was finished."""

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.changed or self.unlearned)

    def document(self) -> dict[str, int]:
        return asdict(self)


def outbox_rows(file: Path) -> tuple[bytes, dict[int, int]]:
    """An actor's stream, and by sequence number the checksum of what its disk holds."""
    outbox = Outbox(file)
    try:
        kept = outbox.read(outbox.first_sequence - 1, ALL)
        stream = outbox.stream_id
    finally:
        outbox.close()
    return stream, {n: zlib.crc32(row.data) for n, row in enumerate(kept.rows, kept.first_sequence)}


def inbox_rows(file: Path) -> list[tuple[bytes, int, int]]:
    """Stream, sequence number and checksum of what a learner's disk holds, as it arrived."""
    inbox = Inbox(file)
    try:
        names = {number: found.stream_id for number, found in inbox.streams.items()}
        rows = inbox.read(-1, ALL, ALL) if inbox.newest_arrival >= 0 else []
    finally:
        inbox.close()
    return [(names[row.stream], row.sequence, zlib.crc32(row.data)) for row in rows]


def audit(outbox_file: Path, learner: Path, ledger_file: Path, *, finished: bool) -> Audit:
    """Compare the ledger with what both disks hold.

    Args:
        outbox_file: the actor's.
        learner: the learner's run folder.
        ledger_file: what the actor saw committed.
        finished: whether the run came to its end, so that everything must have arrived.
    """
    ledger = [tuple(map(int, line.split())) for line in ledger_file.read_text().splitlines()]
    stream, here = outbox_rows(outbox_file)
    rows = inbox_rows(learner / "inbox.sqlite")
    there: dict[int, int] = {}
    doubled = 0
    for name, sequence, crc in rows:
        assert name == stream
        doubled += sequence in there
        there[sequence] = crc
    lost = changed = 0
    for sequence, crc in ledger:
        found = [where[sequence] for where in (here, there) if sequence in where]
        lost += not found or (finished and sequence not in there)
        changed += any(other != crc for other in found)
    lost += sum(sequence not in there for sequence in range(max(there, default=-1) + 1))
    newest = checkpoint.latest(learner)
    learned = checkpoint.step_of(newest)
    unlearned = len(rows) - learned if finished else 0
    return Audit(len({n for n, _ in ledger}), len(rows), lost, doubled, changed, unlearned)
