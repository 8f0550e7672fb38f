"""Small runs of the long sweeps, and that they would notice."""

import random
from pathlib import Path

import pytest

from robosac.store.inbox import Inbox
from robosac.store.outbox import Outbox
from tests.sweeps import power_cuts, store_kills
from tests.sweeps.power_cut_disk import Disk, Step
from tests.sweeps.power_cut_lives import InboxLife, Life, OutboxLife
from tests.sweeps.store_kill_ends import ACTOR, INBOX, OUTBOX, learner, robot, row_bytes


@pytest.mark.parametrize("kind", [OutboxLife, InboxLife])
def test_power_cuts_take_nothing_that_was_acknowledged(kind: type[Life]) -> None:
    tally = power_cuts.Tally()
    settings = power_cuts.Settings(failing=0.05)
    power_cuts.cut_power(kind, 40, random.Random(1), tally, settings)
    assert tally.cuts == 40
    assert tally.problems == []


@pytest.mark.parametrize("kind", [OutboxLife, InboxLife])
def test_the_sweep_notices_a_store_that_does_not_wait_for_the_disk(kind: type[Life]) -> None:
    tally = power_cuts.Tally()
    settings = power_cuts.Settings(synchronous="NORMAL")
    power_cuts.cut_power(kind, 40, random.Random(1), tally, settings)
    assert tally.count("LOST") > 0


def test_the_emulated_disk_keeps_what_was_synced_and_tears_the_rest() -> None:
    rng = random.Random(0)
    seen: set[bytes] = set()
    for _ in range(300):
        disk = Disk({"a": b"A" * 1024})
        disk.take(Step("write", "a", 0, b"B" * 512))
        disk.take(Step("sync", "a"))
        disk.take(Step("write", "a", 512, b"C" * 1024))
        (image,) = disk.cut(rng).values()
        assert image[:512] == b"B" * 512
        assert len(image) <= 1536
        seen.add(image[512:1024])
    assert seen == {b"A" * 512, b"C" * 512}


def test_kills_lose_nothing(tmp_path: Path) -> None:
    tally = store_kills.Tally()
    store_kills.kill_round(tmp_path, 12, random.Random(2), tally)
    assert tally.kills == 12
    assert tally.clean, tally


def test_the_kill_sweep_would_notice_lost_and_changed_rows(tmp_path: Path) -> None:
    outbox, inbox = Outbox(tmp_path / OUTBOX), Inbox(tmp_path / INBOX)
    inbox.register(outbox.stream_id, ACTOR)
    outbox.append([row_bytes(outbox.stream_id, 0), b"not the row that must be here"])
    outbox.close()
    inbox.close()
    ends = [store_kills.End(end, tmp_path) for end in (robot, learner)]
    ends[0].promised = 3
    tally = store_kills.Tally()
    store_kills.audit(tmp_path, ends[0], ends[1], tally)
    for end in ends:
        end.close()
    assert (tally.rows, tally.lost, tally.corrupt, tally.clean) == (2, 2, 1, False)
