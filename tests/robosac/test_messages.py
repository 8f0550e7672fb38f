"""Messages: a transition comes back equal; bytes that are none raise one error and no other."""

from dataclasses import fields, replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robosac.errors import LinkError
from robosac.messages import (
    ArrayMessage,
    Leave,
    Row,
    Rows,
    Save,
    decode_experience,
    decode_to_actor,
    decode_to_learner,
    encode,
    experience_of,
    pack,
    transition_of,
    unpack,
)
from robosac.tasks.ends import EpisodeEnd
from robosac.transition import Transition

floats = (
    st.integers(0, 6)
    .flatmap(lambda n: st.binary(min_size=4 * n, max_size=4 * n))
    .map(lambda data: np.frombuffer(data, np.float32))
)
pictures = st.binary(min_size=24, max_size=24).map(
    lambda data: np.frombuffer(data, np.uint8).reshape(2, 4, 3)
)
observations = floats | st.fixed_dictionaries({"image": pictures, "state": floats})
numbers = st.floats(allow_nan=False)
counts = st.integers(0, 2**53)
transitions = st.builds(
    Transition,
    actor_id=st.text(max_size=8),
    episode=counts,
    step=counts,
    sequence=counts,
    policy_version=counts,
    policy_lag=counts,
    policy_age_s=numbers,
    observation=observations,
    requested_action=floats,
    executed_action=floats,
    reasons=counts,
    reward=numbers,
    rewarded=st.booleans(),
    terms=st.dictionaries(st.text(max_size=8), numbers, max_size=3),
    next_observation=observations,
    end=st.none() | st.sampled_from(EpisodeEnd),
    observed_at=numbers,
    commanded_at=numbers,
)


def sent(transition: Transition) -> Transition:
    return transition_of(decode_experience(encode(experience_of(transition))))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(transitions)
def test_a_transition_comes_back_equal(transition: Transition) -> None:
    came = sent(transition)
    for field in fields(Transition):
        before, after = getattr(transition, field.name), getattr(came, field.name)
        pairs = (
            [(before[part], after[part]) for part in before]
            if field.name.endswith("observation") and isinstance(before, dict)
            else [(before, after)]
        )
        for one, other in pairs:
            if isinstance(one, np.ndarray):
                assert one.dtype == other.dtype
                np.testing.assert_array_equal(one, other)
            else:
                assert one == other


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_message_are_refused(data: bytes) -> None:
    for decode in (decode_to_actor, decode_to_learner, decode_experience):
        try:
            decode(data)
        except LinkError:
            continue


@settings(deadline=None)
@given(st.integers(0, 400), st.integers(0, 7))
def test_a_damaged_message_is_refused_or_another_message(place: int, bit: int) -> None:
    data = bytearray(encode(Rows(first=3, rows=(Row(7, b"data"),))))
    data[place % len(data)] ^= 1 << bit
    try:
        message = decode_to_learner(bytes(data))
    except LinkError:
        return
    assert isinstance(message, Rows)
    assert all(isinstance(row, Row) for row in message.rows)


@pytest.mark.parametrize("wrong", [np.zeros(2), np.zeros(2, np.int64), np.zeros([1] * 5, "f4")])
def test_an_array_of_another_kind_does_not_travel(wrong: np.ndarray) -> None:
    with pytest.raises(LinkError, match="float32, uint8"):
        pack(wrong)


@pytest.mark.parametrize("shape", [(3,), (1,), (2, 2), (65536, 65536)])
def test_bytes_that_do_not_fill_the_shape_are_refused(shape: tuple[int, ...]) -> None:
    message = ArrayMessage("float32", shape, bytes(8))
    with pytest.raises(LinkError, match="8 bytes"):
        unpack(message)


def test_big_endian_arrays_arrive_as_the_numbers_they_are() -> None:
    array = np.arange(3, dtype=">f4")
    np.testing.assert_array_equal(unpack(pack(array)), [0, 1, 2])


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": -1},
        {"sequence": "1"},
        {"unknown": 1},
        {"observation": ["float64", [1], bytes(8)]},
        {"observation": ["float32", [-1], b""]},
        {"observation": ["float32", [1] * 5, bytes(4)]},
        {"end": "tired"},
        {"type": "Eval"},
    ],
)
def test_every_field_is_checked(change: dict[str, Any]) -> None:
    vector = np.zeros(2, np.float32)
    transition = Transition(
        "a", 0, 0, 0, 0, vector, vector, vector, 0, 0.0, True, {}, vector, None, 0.0, 0.0
    )
    good = msgspec.msgpack.decode(encode(experience_of(replace(transition, sequence=7))))
    assert decode_experience(msgspec.msgpack.encode(good))
    with pytest.raises(LinkError):
        decode_experience(msgspec.msgpack.encode(good | change))


def test_each_end_refuses_its_own_messages() -> None:
    with pytest.raises(LinkError):
        decode_to_actor(encode(Leave()))
    with pytest.raises(LinkError):
        decode_experience(encode(Save(sequence=3)))
