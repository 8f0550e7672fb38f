"""A tick as a record of fixed size: what goes in comes out, and what cannot be is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from robosac.channel_layout import FAULTS, tick_dtype
from robosac.hal import (
    CameraView,
    Fault,
    Frame,
    Image,
    ImuSample,
    JointState,
    RobotState,
    TrackerSample,
)
from robosac.latch import LatchedFault
from robosac.reasons import Reason
from robosac.states import SafetyState
from robosac.tick_codec import (
    NOT_A_VECTOR,
    GoalKind,
    TickRecord,
    decode,
    encode,
    pack_goal,
    stands,
    unpack_goal,
)
from robosac.ticks import Tick

JOINTS = 3
IMAGE = np.full((2, 2, 3), 7, dtype=np.uint8)
FALL, HOT, LATE = Fault("fell", "imu", "1 rad"), Fault("hot", "j", "81"), Fault("late", "c", "")


def numbers(first: float) -> np.ndarray:
    return first + np.arange(JOINTS) / 8.0


def record() -> TickRecord:
    """Every number another, so that none can stand in for its neighbour."""
    joints = JointState(
        time=numbers(1.0),
        valid=np.array([True, False, True]),
        position=numbers(2.0),
        velocity=numbers(3.0),
        torque=numbers(4.0),
        temperature=numbers(5.0),
        voltage=numbers(6.0),
        power=numbers(7.0),
        driving=np.array([False, True, True]),
    )
    sample = ImuSample(11.0, np.arange(4.0), numbers(12.0), numbers(13.0))
    fix = TrackerSample(14.0, 15.0, 16.0, 17.0, 18.0)
    view = CameraView(Frame(19.0, IMAGE, 20), "dim")
    state = RobotState(10.0, joints, sample, fix, (HOT, LATE), view)
    tick = Tick(
        *(21.0, state, SafetyState.HOLD, numbers(22.0), numbers(23.0)),
        *(numbers(24.0), numbers(25.0), Reason.TILT | Reason.AGE, 26.0, (HOT,)),
    )
    latched = (LatchedFault(FALL, 27.0, 28), LatchedFault(HOT, 29.0, 30))
    return TickRecord(tick, 31, 32, 33, numbers(34.0), latched, 35)


def through(given: TickRecord, image: Image | None = IMAGE) -> TickRecord:
    def picture(number: int) -> Image | None:
        assert number == given.frame_number
        return image

    return decode(encode(given, JOINTS), JOINTS, picture)


def plain(value: object) -> object:
    """The same with lists for arrays, so that it can be compared."""
    if isinstance(value, np.ndarray):
        return value.tolist(), value.dtype.kind
    if isinstance(value, tuple):
        return tuple(plain(one) for one in value)
    if dataclasses.is_dataclass(value):
        return [plain(getattr(value, field.name)) for field in dataclasses.fields(value)]
    return type(value), value


def with_state(given: TickRecord, **changed: object) -> TickRecord:
    state = dataclasses.replace(given.tick.state, **changed)  # type: ignore[arg-type]
    return dataclasses.replace(given, tick=dataclasses.replace(given.tick, state=state))


def test_everything_comes_back() -> None:
    assert plain(through(record())) == plain(record())


@pytest.mark.parametrize("safety", SafetyState)
def test_every_state_comes_back(safety: SafetyState) -> None:
    given = dataclasses.replace(record(), tick=dataclasses.replace(record().tick, safety=safety))
    assert through(given).tick.safety is safety


@pytest.mark.parametrize("missing", ["imu", "tracker", "camera"])
def test_a_sensor_that_is_not_there_stays_away(missing: str) -> None:
    given = with_state(record(), **{missing: None})
    if missing == "camera":
        given = dataclasses.replace(given, frame_number=0)
    assert plain(through(given)) == plain(given)


def test_a_camera_without_a_picture() -> None:
    given = with_state(record(), camera=CameraView(None, "lost"))
    assert through(given).tick.state.camera == CameraView(None, "lost")
    assert through(record(), None).tick.state.camera == CameraView(None, "late")


def test_a_picture_has_no_number_until_it_is_given_one() -> None:
    fields = {field.name: getattr(record(), field.name) for field in dataclasses.fields(TickRecord)}
    del fields["frame_number"]
    assert TickRecord(**fields).frame_number == 0


def test_arrays_are_copies_that_nobody_writes() -> None:
    found = through(record())
    for array in (
        *(found.commanded, found.tick.executed, found.tick.velocity, found.tick.requested),
        *(found.tick.state.joints.position, found.tick.state.joints.valid),
    ):
        assert isinstance(array, np.ndarray)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0


def test_where_a_record_stands_is_told_without_the_rest() -> None:
    assert plain(stands(encode(record(), JOINTS), JOINTS)) == plain((32, 33, 21.0))


def test_a_state_that_does_not_exist_is_refused() -> None:
    raw = np.frombuffer(encode(record(), JOINTS), dtype=tick_dtype(JOINTS)).copy()
    raw["safety"] = len(SafetyState)
    with pytest.raises(ValueError, match="names safety state 6"):
        decode(raw.tobytes(), JOINTS, lambda _: IMAGE)
    raw["safety"] = len(SafetyState) - 1
    assert decode(raw.tobytes(), JOINTS, lambda _: IMAGE).tick.safety is SafetyState.FAULT


@pytest.mark.parametrize(
    ("goal", "kind"),
    [
        (None, GoalKind.NONE),
        (numbers(1.0), GoalKind.VECTOR),
        (numbers(1.0).astype(np.float32), GoalKind.VECTOR),
        (np.zeros(JOINTS + 1), GoalKind.OTHER),
        ("walk", GoalKind.OTHER),
    ],
)
def test_goals_of_every_kind(goal: object, kind: GoalKind) -> None:
    found, vector = pack_goal(goal, JOINTS)
    assert found is kind
    assert vector.dtype == np.float64
    assert vector.tolist() == (numbers(1.0) if kind is GoalKind.VECTOR else np.zeros(3)).tolist()
    again = unpack_goal(found, vector)
    expected = {GoalKind.NONE: None, GoalKind.VECTOR: vector, GoalKind.OTHER: NOT_A_VECTOR}
    assert again is expected[kind]


def test_kinds_of_goals_are_what_older_recordings_say() -> None:
    assert (GoalKind.NONE, GoalKind.VECTOR, GoalKind.OTHER) == (0, 1, 2)


def many(count: int) -> TickRecord:
    latched = tuple(LatchedFault(Fault(f"f{n}", "s", "d"), 1.0, n) for n in range(count))
    bare = with_state(dataclasses.replace(record(), latched=latched), faults=())
    return dataclasses.replace(bare, tick=dataclasses.replace(bare.tick, faults=()))


def test_as_many_faults_as_there_is_room_for() -> None:
    found = through(many(FAULTS))
    assert found.latched == many(FAULTS).latched
    assert found.tick.faults == ()


@pytest.mark.parametrize("beyond", [1, 5])
def test_faults_without_room_are_counted(beyond: int) -> None:
    found = through(many(FAULTS + beyond))
    assert found.latched == many(FAULTS + beyond).latched[: FAULTS - 1]
    (told,) = found.tick.faults
    assert (told.name, told.source) == ("more_faults", "channel")
    assert told.detail == f"{beyond + 1} more have no room here; see the log"
    assert found.tick.state.faults == ()


def test_a_fault_told_twice_takes_one_place() -> None:
    both = Fault("both", "s", "d")
    given = with_state(record(), faults=(both,))
    tick = dataclasses.replace(given.tick, faults=(both,))
    given = dataclasses.replace(given, tick=tick, latched=(LatchedFault(both, 8.0, 9),))
    raw = np.frombuffer(encode(given, JOINTS), dtype=tick_dtype(JOINTS))[0]
    assert raw["faults"] == 1
    assert plain(through(given)) == plain(given)


def test_a_record_has_its_size_and_its_flags_are_ones() -> None:
    raw = encode(record(), JOINTS)
    assert len(raw) == tick_dtype(JOINTS).itemsize
    row = np.frombuffer(raw, dtype=tick_dtype(JOINTS))[0]
    assert [int(row[name]) for name in FLAGS] == [1, 1, 1, 1]
    bare = with_state(record(), imu=None, tracker=None, camera=None)
    row = np.frombuffer(encode(bare, JOINTS), dtype=tick_dtype(JOINTS))[0]
    assert [int(row[name]) for name in FLAGS] == [0, 0, 0, 0]


FLAGS = ("has_imu", "has_tracker", "has_camera", "has_frame")


@pytest.mark.parametrize("count", [0, FAULTS + 1])
def test_only_latched_faults_have_a_time(count: int) -> None:
    given = many(count)
    told = dataclasses.replace(given.tick, faults=(HOT,))
    given = with_state(dataclasses.replace(given, tick=told), faults=(LATE,))
    row = np.frombuffer(encode(given, JOINTS), dtype=tick_dtype(JOINTS))[0]
    places = row["fault"][: int(row["faults"])]
    for place in places:
        latched = bytes(place["name"]).startswith(b"f")
        assert place["time"] == (1.0 if latched else 0.0)
    assert any(place["time"] == 0.0 for place in places)


def test_a_goal_that_is_none_of_ours_is_not_taken_for_no_goal() -> None:
    assert isinstance(unpack_goal(GoalKind.OTHER, np.zeros(JOINTS)), str)


def test_a_record_of_another_size_is_refused() -> None:
    raw = encode(record(), JOINTS)
    for wrong in (raw + raw, raw[:-1], b""):
        with pytest.raises(ValueError, match=rf"has {len(wrong)} bytes; valid is {len(raw)}"):
            decode(wrong, JOINTS, lambda _: IMAGE)
        with pytest.raises(ValueError, match="valid is"):
            stands(wrong, JOINTS)
