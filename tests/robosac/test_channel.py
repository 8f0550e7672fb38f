"""Whatever goes into the channel comes out the same, newest or not at all."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robosac import channel_layout
from robosac.channel import UNREADABLE_REASON, Answer, AnswerKind, Beat, Channel, Code, End
from robosac.channel_layout import FAULTS, PICTURES, TICKS, Layout, fixed_text
from robosac.hal import (
    CameraView,
    Fault,
    Frame,
    ImuSample,
    JointState,
    RobotState,
    TrackerSample,
)
from robosac.latch import LatchedFault
from robosac.lateness import LatenessHistogram
from robosac.reasons import Reason
from robosac.states import SafetyState
from robosac.tick_codec import NOT_A_VECTOR, TickRecord
from robosac.ticks import Tick

JOINTS = 3
PICTURE = (4, 5)
numbers = st.floats(width=64)
texts = st.text(max_size=15).filter(lambda text: "\0" not in text)
faults = st.builds(Fault, texts, texts, texts)


def vectors(count: int = JOINTS) -> st.SearchStrategy[np.ndarray]:
    """Any bits at all."""
    size = 8 * count
    return st.binary(min_size=size, max_size=size).map(lambda raw: np.frombuffer(raw, np.float64))


flags = st.integers(min_value=0, max_value=2**JOINTS - 1).map(
    lambda bits: np.array([bool(bits >> joint & 1) for joint in range(JOINTS)])
)
joint_states = st.builds(
    JointState,
    vectors(),
    flags,
    vectors(),
    vectors(),
    vectors(),
    vectors(),
    vectors(),
    vectors(),
    flags,
)
imus = st.builds(ImuSample, numbers, vectors(4), vectors(), vectors())
trackers = st.builds(TrackerSample, numbers, numbers, numbers, numbers, numbers)
cameras = st.builds(CameraView, st.none(), st.sampled_from(("", "frozen", "unplugged")))
states = st.builds(
    RobotState,
    numbers,
    joint_states,
    st.none() | imus,
    st.none() | trackers,
    st.lists(faults, max_size=3, unique=True).map(tuple),
    st.none() | cameras,
)
goals = st.none() | vectors()
ticks = st.builds(
    Tick,
    numbers,
    states,
    st.sampled_from(SafetyState),
    goals,
    goals,
    vectors(),
    vectors(),
    st.integers(min_value=0, max_value=16383).map(Reason),
    numbers,
    st.lists(faults, max_size=3, unique=True).map(tuple),
)
latched = st.lists(
    st.builds(LatchedFault, faults, numbers), max_size=3, unique_by=lambda entry: entry.fault
)


def equal(one: Any, two: Any) -> bool:
    """Deep equality in which NaN equals NaN, and every array is as it was."""
    if isinstance(one, np.ndarray):
        same = isinstance(two, np.ndarray) and one.dtype == two.dtype
        return (
            same and one.tobytes() == two.tobytes()
            if one.dtype == bool
            else same and (np.array_equal(one, two, equal_nan=True))
        )
    if isinstance(one, float):
        return one == two or (math.isnan(one) and math.isnan(two))
    if isinstance(one, tuple):
        return len(one) == len(two) and all(map(equal, one, two))
    if is_dataclass(one) and not isinstance(one, type):
        names = [field.name for field in fields(one)]
        return type(one) is type(two) and all(
            equal(getattr(one, name), getattr(two, name)) for name in names
        )
    return one == two


@pytest.fixture(scope="module")
def channel() -> Any:
    channel = Channel.create(Layout(JOINTS, PICTURE))
    yield channel
    channel.close()


@pytest.fixture
def fresh() -> Any:
    channel = Channel.create(Layout(JOINTS, PICTURE))
    yield channel
    channel.close()


def plain(number: int = 1, **changes: Any) -> TickRecord:
    zero = np.zeros(JOINTS)
    state = RobotState(0.0, JointState.unheard(JOINTS), None, None)
    values = {"state": state, "faults": (), "requested": None} | changes
    tick = Tick(
        0.0,
        values["state"],
        SafetyState.DISARMED,
        values["requested"],
        None,
        zero,
        zero,
        Reason.NONE,
        0.0,
        values["faults"],
    )
    return TickRecord(tick, number, 0, 0, zero, values.get("latched", ()), values.get("frame", 0))


@settings(max_examples=30, deadline=None)
@given(
    tick=ticks,
    latched=latched,
    number=st.integers(min_value=1, max_value=2**60),
    commanded=vectors(),
)
def test_a_tick_comes_out_as_it_went_in(
    channel: Channel,
    tick: Tick,
    latched: list[LatchedFault],
    number: int,
    commanded: np.ndarray,
) -> None:
    record = TickRecord(tick, number, 7, 9, commanded, tuple(latched))
    channel.put_tick(record)
    found = channel.tick(number)
    assert found is not None
    # A fault that is told in several places is told once, with the latched ones first.
    assert set(found.tick.faults) == set(tick.faults)
    assert set(found.tick.state.faults) == set(tick.state.faults)
    assert equal(found.latched, record.latched)
    for one, two in ((tick, found.tick), (tick.state, found.tick.state)):
        for field in fields(one):
            if field.name not in ("faults", "state"):
                assert equal(getattr(one, field.name), getattr(two, field.name)), field.name
    assert equal(found.commanded, commanded)
    assert (found.request, found.command) == (7, 9)
    assert channel.tick_stands(number) is not None
    assert not found.tick.executed.flags.writeable
    assert not found.tick.state.joints.position.flags.writeable


@settings(deadline=None)
@given(st.text(), st.integers(min_value=4, max_value=40))
def test_text_is_cut_honestly(text: str, size: int) -> None:
    raw = fixed_text(text, size)
    told = raw.decode()
    whole = text.replace("\0", "\ufffd").encode(errors="replace").decode()
    assert len(raw) <= size
    assert told == whole or (told.endswith("…") and whole.startswith(told[:-1]))


def test_faults_that_have_no_room_are_counted(channel: Channel) -> None:
    many = tuple(Fault(f"fault_{n}", "robot", "x" * 500) for n in range(FAULTS + 5))
    channel.put_tick(plain(faults=many))
    found = channel.tick(1)
    assert found is not None
    assert [f.name for f in found.tick.faults[:-1]] == [f.name for f in many[: FAULTS - 1]]
    assert found.tick.faults[-1].name == "more_faults"
    assert "6 more" in found.tick.faults[-1].detail
    assert found.tick.faults[0].detail.endswith("x…")


@pytest.mark.parametrize(
    "goal", [np.zeros(JOINTS + 1), np.zeros(JOINTS, dtype=int), "up", [0.0] * 3]
)
def test_a_goal_of_another_kind_arrives_as_one(fresh: Channel, goal: object) -> None:
    fresh.put_request(1, goal, 0.0, 5.0)
    down = fresh.request()
    assert down is not None
    assert down.goal == NOT_A_VECTOR
    fresh.put_tick(plain(requested=goal))
    found = fresh.tick(1)
    assert found is not None
    assert found.tick.requested == NOT_A_VECTOR


@settings(deadline=None)
@given(vectors(), numbers, numbers, st.integers(min_value=1, max_value=2**60))
def test_a_goal_comes_out_as_it_went_in(
    channel: Channel, goal: np.ndarray, ramp: float, made: float, number: int
) -> None:
    channel.put_request(number, goal, ramp, made)
    down = channel.request()
    assert down is not None
    assert equal((down.goal, down.ramp, down.made), (goal, ramp, made))
    assert down.number == number


def test_a_reader_that_was_lapped_gets_nothing_in_place_of_what_is_gone(fresh: Channel) -> None:
    for number in range(1, TICKS + 2):
        fresh.put_tick(plain(number))
    assert fresh.tick(1) is None
    assert fresh.tick(TICKS + 2) is None
    found = fresh.tick(2)
    assert found is not None
    assert found.number == 2


def test_pictures_are_those_of_the_tick_or_late(fresh: Channel) -> None:
    def view(number: int) -> CameraView:
        image = np.full((*PICTURE, 3), number, np.uint8)
        return CameraView(Frame(float(number), image, 100 + number))

    for number in range(1, PICTURES + 2):
        state = RobotState(0.0, JointState.unheard(JOINTS), None, None, (), view(number))
        assert state.camera is not None
        assert state.camera.frame is not None
        fresh.put_picture(number, state.camera.frame.image)
        fresh.put_tick(plain(number, state=state, frame=number))
    gone, there = fresh.tick(1), fresh.tick(PICTURES + 1)
    assert gone is not None
    assert gone.tick.state.camera == CameraView(None, "late")
    assert there is not None
    assert there.tick.state.camera is not None
    frame = there.tick.state.camera.frame
    assert frame is not None
    assert (frame.image == PICTURES + 1).all()
    assert not frame.image.flags.writeable
    assert (frame.time, frame.sequence) == (PICTURES + 1.0, 101 + PICTURES)
    with pytest.raises(ValueError, match=r"the channel is for uint8 \(4, 5\)"):
        fresh.put_picture(1, np.zeros((5, 4, 3), np.uint8))


def test_commands_answers_and_signs_of_life(fresh: Channel) -> None:
    assert fresh.command() is None
    assert fresh.answer() is None
    assert fresh.beat() is None
    assert fresh.end() is None
    mask = np.array([True, False, True])
    fresh.put_command(3, Code.FREE, "x", mask)
    command = fresh.command()
    assert command is not None
    assert (command.id, command.code, command.text) == (3, Code.FREE, "x")
    assert (command.mask == mask).all()
    answer = Answer(3, AnswerKind.ARMING, "position: äußerst falsch")
    fresh.put_answer(answer)
    assert fresh.answer() == answer
    beat = Beat(1.5, 4, SafetyState.HOLD, True)
    fresh.put_beat(beat)
    assert fresh.beat() == beat
    fresh.put_end(End(False, "it fell"))
    assert fresh.end() == End(False, "it fell")
    histogram = LatenessHistogram()
    histogram.add(0.002)
    fresh.put_lateness(histogram, 8)
    told, overruns = fresh.lateness()
    assert (told.counts, told.longest_s, overruns) == (histogram.counts, 0.002, 8)
    with pytest.raises(ValueError, match="at most 512 bytes"):
        fresh.put_command(4, Code.CLEAR, "x" * 600)
    with pytest.raises(ValueError, match="at most 16384 bytes"):
        fresh.put_answer(Answer(4, AnswerKind.DONE, "x" * 20000))


def test_one_byte_trips_whatever_becomes_of_the_reason(fresh: Channel) -> None:
    assert fresh.trip_reason() is None
    fresh.put_trip("a person")
    fresh.put_trip("a second one")
    assert fresh.trip_reason() == "a person"
    fresh.take_back_trip()
    assert fresh.trip_reason() is None
    other = Channel.create(Layout(JOINTS))
    other._memory.view[channel_layout.TRIP_BYTE] = 1
    assert other.trip_reason() == UNREADABLE_REASON
    other.close()


def test_what_is_no_channel_of_this_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(JOINTS, PICTURE)
    header = layout.header()
    assert channel_layout.read_header(header) == layout
    assert channel_layout.read_header(Layout(8).header()) == Layout(8)
    with pytest.raises(ValueError, match="no channel: it begins with"):
        channel_layout.read_header(b"SQLite format 3\0" + header)
    with pytest.raises(ValueError, match="no channel"):
        channel_layout.read_header(b"")
    for at in range(8, len(header)):
        damaged = bytearray(header)
        damaged[at] ^= 1
        with pytest.raises(ValueError, match="damaged"):
            channel_layout.read_header(bytes(damaged))
    monkeypatch.setattr(channel_layout, "LAYOUT_VERSION", 2)
    with pytest.raises(ValueError, match=r"layout version 1.*must be the same robosac"):
        channel_layout.read_header(header)


@pytest.mark.parametrize(
    ("joints", "picture"), [(0, None), (65, None), (8, (0, 3)), (8, (9, 5000))]
)
def test_layouts_that_cannot_be(joints: int, picture: tuple[int, int] | None) -> None:
    with pytest.raises(ValueError, match="a channel"):
        Layout(joints, picture)
