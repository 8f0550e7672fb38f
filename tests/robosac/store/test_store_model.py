"""Outbox and inbox against a model of a few lists: restarts, duplicates, losses on the way."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from robosac.errors import SequenceGap, StreamRefused
from robosac.store.inbox import Inbox
from robosac.store.outbox import Outbox
from robosac.store.rows import ActorState, Chunk

ACTOR = "robot"
ROWS = st.lists(st.binary(max_size=40), max_size=6)


class Stores(RuleBasedStateMachine):
    """What was appended must arrive, once and in order, whatever happens between."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.outbox, self.inbox = self.open_outbox(), self.open_inbox()
        self.written: list[bytes] = []
        self.state: ActorState | None = None
        self.arrived: list[bytes] = []
        self.checkpointed = self.saved = -1
        self.on_the_way: list[Chunk] = []
        """Sent, and maybe overtaken, doubled or lost."""
        self.inbox.register(self.outbox.stream_id, ACTOR)

    def open_outbox(self) -> Outbox:
        return Outbox(self.folder / "outbox.sqlite")

    def open_inbox(self) -> Inbox:
        return Inbox(self.folder / "inbox.sqlite")

    @rule(rows=ROWS, state=st.none() | st.binary(max_size=9))
    def append(self, rows: list[bytes], state: bytes | None) -> None:
        last = len(self.written) + len(rows) - 1
        said = None if state is None else ActorState(last, state)
        assert self.outbox.append(rows, said) == last
        self.written += rows
        self.state = said or self.state

    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        after = data.draw(st.integers(self.saved, len(self.written) - 1))
        chunk = self.outbox.read(after, data.draw(st.integers(1, 100)))
        assert [row.data for row in chunk.rows] == self.written[after + 1 :][: len(chunk.rows)]
        assert chunk.rows or after == len(self.written) - 1
        self.on_the_way.append(chunk)

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data(), again=st.booleans(), cut=st.integers(0, 3))
    def receive(self, data: st.DataObject, again: bool, cut: int) -> None:
        place = data.draw(st.integers(0, len(self.on_the_way) - 1))
        chunk = self.on_the_way[place] if again else self.on_the_way.pop(place)
        rows = chunk.rows[: max(0, len(chunk.rows) - cut)]
        if chunk.first_sequence > len(self.arrived):
            with pytest.raises(SequenceGap):
                self.inbox.accept(self.outbox.stream_id, chunk.first_sequence, rows)
            return
        hi = self.inbox.accept(self.outbox.stream_id, chunk.first_sequence, rows)
        reach = max(len(self.arrived), chunk.first_sequence + len(rows))
        self.arrived = self.written[:reach]
        assert hi == reach - 1

    @rule(data=st.data())
    def save_a_checkpoint(self, data: st.DataObject) -> None:
        arrival = data.draw(st.integers(-1, len(self.arrived) - 1))
        self.checkpointed = max(self.checkpointed, arrival)
        saved = self.inbox.mark_checkpointed(arrival)
        assert saved == {self.outbox.stream_id: self.checkpointed}

    @rule()
    def forget(self) -> None:
        self.outbox.forget(self.checkpointed)
        self.saved = max(self.saved, self.checkpointed)

    @rule()
    def restart_the_robot(self) -> None:
        name = self.outbox.stream_id
        self.outbox.close()
        self.outbox = self.open_outbox()
        assert self.outbox.stream_id == name

    @rule()
    def restart_the_learner(self) -> None:
        self.inbox.close()
        self.inbox = self.open_inbox()
        hi = self.inbox.register(self.outbox.stream_id, ACTOR)
        assert hi == len(self.arrived) - 1
        with pytest.raises(StreamRefused):
            self.inbox.register(self.outbox.stream_id, "another")

    @invariant()
    def nothing_is_lost_doubled_or_mixed_up(self) -> None:
        assert self.outbox.next_sequence == len(self.written)
        assert self.outbox.saved == self.saved
        assert self.outbox.actor_state == self.state
        first = self.outbox.first_sequence
        assert first <= self.saved + 1
        assert self.outbox.kept_bytes == sum(map(len, self.written[first:]))
        found = self.inbox.read(-1, 10_000, 10_000_000)
        assert [row.data for row in found] == self.arrived
        assert [row.sequence for row in found] == list(range(len(self.arrived)))

    def teardown(self) -> None:
        self.outbox.close()
        self.inbox.close()
        shutil.rmtree(self.folder)


TestStores = Stores.TestCase
TestStores.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
