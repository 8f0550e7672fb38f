"""Whom to tell and whom to ask about torque: every order of events, on servos that lose packets."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.dynamixel.telemetry import Topic
from drivers.dynamixel.torque_switch import TorqueSwitch, watchdog_counts
from tests.drivers.scripted_servos import ScriptedServos

IDS = (10, 50, 252)
ARMED = 5
HEADER = b"\xff\xff\xfd\x00"


def hold(*places: int) -> np.ndarray:
    return np.isin(np.arange(len(IDS)), places)


def told(orders: bytes) -> list[tuple[int, dict[int, int]]]:
    """Address, and value by id, of every sync write in `orders`."""
    found: list[tuple[int, dict[int, int]]] = []
    for packet in orders.split(HEADER)[1:]:
        assert (packet[0], packet[3]) == (0xFE, 0x83)
        assert packet[6:8] == b"\x01\x00", "one byte each"
        body = packet[8:-2]
        found.append((packet[4] | packet[5] << 8, dict(zip(body[::2], body[1::2], strict=True))))
    return found


def settle(switch: TorqueSwitch, wanted: np.ndarray) -> None:
    """All say at once that they are as wanted."""
    switch.orders(wanted)
    for place, on in enumerate(wanted):
        switch.hear(place, Topic.TORQUE, int(on))
        switch.hear(place, Topic.WATCHDOG, ARMED)


def test_goals_first_then_torque_then_watchdogs() -> None:
    switch = TorqueSwitch(IDS)
    assert told(switch.orders(hold(0, 2))) == [
        (64, {10: 1, 50: 0, 252: 1}),
        (98, {10: ARMED, 252: ARMED}),
    ]
    assert not switch.holding.any()
    assert not switch.free.any()


def test_told_until_they_say_so_and_no_longer() -> None:
    switch, wanted = TorqueSwitch(IDS), hold(0)
    first = switch.orders(wanted)
    assert switch.orders(wanted) == first
    switch.hear(0, Topic.TORQUE, 1)
    switch.hear(1, Topic.TORQUE, 0)
    assert told(switch.orders(wanted)) == [(64, {252: 0}), (98, {10: ARMED})]
    assert not switch.holding.any(), "nobody holds without a watchdog"
    switch.hear(0, Topic.WATCHDOG, ARMED)
    switch.hear(2, Topic.TORQUE, 0)
    assert switch.orders(wanted) == b""
    assert not switch.asking
    assert switch.holding.tolist() == [True, False, False]
    assert switch.free.tolist() == [False, True, True]


def test_who_says_otherwise_is_told_again() -> None:
    switch = TorqueSwitch(IDS)
    switch.orders(hold(0))
    switch.hear(0, Topic.TORQUE, 0)
    switch.hear(1, Topic.TORQUE, 1)
    assert told(switch.orders(hold(0)))[0] == (64, {10: 1, 50: 0, 252: 0})
    assert not switch.free[0], "it has been told since"


def test_only_who_changes_is_told() -> None:
    switch = TorqueSwitch(IDS)
    settle(switch, hold(0, 1))
    assert told(switch.orders(hold(0))) == [(64, {50: 0})]
    assert switch.holding.tolist() == [True, False, False], "its word was about before"
    switch.hear(1, Topic.TORQUE, 0)
    assert told(switch.orders(hold(0, 1))) == [(64, {50: 1}), (98, {50: ARMED})]


def test_who_let_go_is_not_switched_on_again_before_a_fresh_arming() -> None:
    switch, wanted = TorqueSwitch(IDS), hold(0, 1, 2)
    settle(switch, wanted)
    switch.hear(1, Topic.TORQUE, 0)
    assert switch.orders(wanted) == b""
    assert not switch.asking
    assert switch.holding.tolist() == [True, False, True]
    switch.orders(hold(0, 2))
    assert told(switch.orders(wanted))[0] == (64, {50: 1})
    settle(switch, wanted)
    switch.hear(1, Topic.TORQUE, 0)
    switch.forget(1)
    assert told(switch.orders(wanted))[0] == (64, {50: 1})


def test_who_should_be_free_and_holds_is_told_again() -> None:
    switch = TorqueSwitch(IDS)
    settle(switch, hold())
    switch.hear(1, Topic.TORQUE, 1)
    assert switch.asking
    assert told(switch.orders(hold())) == [(64, {50: 0})]
    assert switch.free.tolist() == [True, False, True]


def test_who_keeps_saying_that_it_holds_does_not_let_go() -> None:
    switch = TorqueSwitch(IDS)
    settle(switch, hold(0, 1))
    switch.orders(hold(0))
    for answers in (1, 1, 0, 1, 1):
        switch.hear(1, Topic.TORQUE, answers)
        assert not switch.clinging.any(), "an order may have been lost"
    switch.hear(1, Topic.TORQUE, 1)
    assert switch.clinging.tolist() == [False, True, False]
    assert not switch.clinging.flags.writeable
    switch.hear(0, Topic.TORQUE, 1)
    assert not switch.clinging[0], "it is to hold"
    switch.hear(1, Topic.TORQUE, 0)
    assert not switch.clinging.any()
    for _ in range(3):
        switch.hear(1, Topic.TORQUE, 1)
    switch.orders(hold(0, 1))
    assert not switch.clinging.any(), "it is wanted on again"


@pytest.mark.parametrize("word", [-1, 0])
def test_a_watchdog_that_tripped_or_was_lost_ends_the_holding(word: int) -> None:
    switch, wanted = TorqueSwitch(IDS), hold(0, 1)
    settle(switch, wanted)
    switch.hear(1, Topic.WATCHDOG, word)
    assert switch.holding.tolist() == [True, False, False]
    assert switch.orders(wanted) == b""


def test_a_watchdog_that_has_tripped_already_is_left_alone() -> None:
    switch, wanted = TorqueSwitch(IDS), hold(0)
    switch.orders(wanted)
    for place in range(3):
        switch.hear(place, Topic.TORQUE, int(wanted[place]))
    switch.hear(0, Topic.WATCHDOG, -1)
    assert switch.orders(wanted) == b""
    assert not switch.holding.any()


def test_another_watchdog_than_wanted_is_none() -> None:
    switch, wanted = TorqueSwitch(IDS), hold(0)
    switch.watchdog = watchdog_counts(0.06)
    switch.orders(wanted)
    switch.hear(0, Topic.TORQUE, 1)
    switch.hear(0, Topic.WATCHDOG, 127)
    assert not switch.holding.any()
    assert told(switch.orders(wanted))[-1] == (98, {10: 3})


def test_words_without_a_wish_count() -> None:
    switch = TorqueSwitch(IDS)
    switch.hear(0, Topic.TORQUE, 1)
    switch.hear(0, Topic.WATCHDOG, 50)
    switch.hear(1, Topic.TORQUE, 0)
    switch.hear(1, Topic.HARDWARE, 0)
    assert switch.holding.tolist() == [True, False, False]
    assert switch.free.tolist() == [False, True, False]
    assert not switch.asking


def test_after_letting_go_of_all_only_words_that_agree_stay() -> None:
    switch = TorqueSwitch(IDS)
    settle(switch, hold(0, 1))
    switch.release()
    assert not switch.holding.any()
    assert switch.free.tolist() == [False, False, True]
    switch.hear(0, Topic.TORQUE, 0)
    switch.release()
    assert switch.free.tolist() == [True, False, True]
    assert told(switch.orders(hold(0)))[0] == (64, {10: 1, 50: 0, 252: 0})


def test_questions_go_round_and_leave_a_turn_to_others() -> None:
    switch = TorqueSwitch(IDS)
    assert switch.next_question() is None
    switch.orders(hold(1))
    expected = [(0, Topic.TORQUE), (1, Topic.TORQUE), (2, Topic.TORQUE), (1, Topic.WATCHDOG), None]
    assert [switch.next_question() for _ in range(10)] == expected * 2
    switch.hear(0, Topic.TORQUE, 0)
    assert [switch.next_question() for _ in range(4)] == expected[1:]


def test_arrays_cannot_be_written_to() -> None:
    switch = TorqueSwitch(IDS)
    for array in (switch.holding, switch.free):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = True


@pytest.mark.parametrize("seconds", [0.0, 0.009, 2.56, float("nan"), -0.1])
def test_impossible_watchdogs(seconds: float) -> None:
    with pytest.raises(ValueError, match="watchdog"):
        watchdog_counts(seconds)
    assert (watchdog_counts(0.02), watchdog_counts(2.54)) == (1, 127)


ROUND = [(place, topic) for place in range(3) for topic in (Topic.TORQUE, Topic.WATCHDOG)]


@dataclass
class Row:
    """Servos behind a wire that loses packets, the switch, and what is known outside of it."""

    servos: ScriptedServos = field(default_factory=lambda: ScriptedServos(IDS))
    switch: TorqueSwitch = field(default_factory=lambda: TorqueSwitch(IDS))
    wanted: list[bool | None] = field(default_factory=lambda: [None] * len(IDS))
    words: list[dict[Topic, int]] = field(default_factory=lambda: [{} for _ in IDS])
    held: list[bool] = field(default_factory=lambda: [False] * len(IDS))
    disturbed: list[bool] = field(default_factory=lambda: [False] * len(IDS))
    answer: tuple[int, Topic, int] | None = None
    exchanges: int = 0

    def exchange(self, wanted: np.ndarray, torque_lost: bool, armed_lost: bool, deaf: bool) -> None:
        """One exchange: the last answer, orders, and a question."""
        if self.answer is not None and not deaf:
            place, topic, code = self.answer
            self.switch.hear(*self.answer)
            self.words[place][topic] = code
            self.held[place] |= bool(topic is Topic.TORQUE and code == 1 and self.wanted[place])
        for place, on in enumerate(wanted.tolist()):
            if self.wanted[place] is not on:
                self.wanted[place], self.words[place] = on, {}
                self.held[place] = self.disturbed[place] = False
        orders = self.switch.orders(wanted)
        self.judge(orders)
        for packet in orders.split(HEADER)[1:]:
            if not (torque_lost if packet[4] == 64 else armed_lost):
                self.servos.answer(HEADER + packet)
        self.exchanges += 1
        place, topic = self.switch.next_question() or ROUND[self.exchanges % len(ROUND)]
        self.answer = place, topic, self.servos.get(IDS[place], topic.value[0], 1, signed=True)

    def judge(self, orders: bytes) -> None:
        """Nobody is told what it must not be, and nothing is said to be that no servo said."""
        for address, values in told(orders):
            for place in (IDS.index(id) for id in values):
                value, words = values[IDS[place]], self.words[place]
                if address == 98:
                    assert self.wanted[place]
                    assert value == ARMED
                    assert words.get(Topic.WATCHDOG) != -1
                else:
                    assert value == self.wanted[place]
                    assert not (value and self.held[place]), "never on a second time"
                    assert words.get(Topic.TORQUE) != value, "not who is as wanted"
        for place, words in enumerate(self.words):
            armed = self.wanted[place] and words.get(Topic.WATCHDOG) == ARMED
            assert self.switch.holding[place] == (words.get(Topic.TORQUE) == 1 and armed)
            being_told = self.wanted[place] and not self.held[place]
            assert self.switch.free[place] == (words.get(Topic.TORQUE) == 0 and not being_told)

    def happen(self, event: str, place: int) -> None:
        """A servo restarts, shuts down, is stopped by its watchdog, or somebody switches it on."""
        if event:
            self.disturbed[place] = True
        if event in ("restart", "shutdown", "somebody"):
            self.servos.set(IDS[place], 64, 1, int(event == "somebody"))
        if event in ("restart", "trip"):
            self.servos.set(IDS[place], 98, 1, 0 if event == "restart" else -1)


EVENT = st.tuples(
    st.lists(st.booleans(), min_size=3, max_size=3),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
    st.sampled_from(["", "", "", "restart", "shutdown", "trip", "somebody"]),
    st.integers(0, 2),
    st.integers(1, 12),
)


@given(st.lists(EVENT, max_size=8))
def test_whatever_is_lost_all_end_as_wanted_or_are_told_of(
    events: list[tuple[list[bool], tuple[bool, bool, bool], str, int, int]],
) -> None:
    row, wanted = Row(), np.zeros(3, dtype=np.bool_)
    for values, losses, event, place, times in events:
        wanted = np.array(values)
        row.happen(event, place)
        for _ in range(times):
            row.exchange(wanted, *losses)
    for _ in range(100):
        row.exchange(wanted, False, False, False)
    assert not row.switch.asking
    assert row.switch.orders(wanted) == b""
    for place, id in enumerate(IDS):
        torque, watchdog = row.servos.get(id, 64, 1), row.servos.get(id, 98, 1, signed=True)
        assert row.switch.free[place] == (torque == 0)
        assert row.switch.holding[place] == (torque == 1 and watchdog == ARMED)
        if not wanted[place]:
            assert row.switch.free[place]
        elif not row.disturbed[place]:
            assert row.switch.holding[place] or watchdog == -1
