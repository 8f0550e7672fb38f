"""An envelope gives back what was sealed, or says what is wrong with it; nothing in between."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load, save

from robosac import envelope
from robosac.envelope import FORMAT, MAGIC, MAX_BYTES, pack, seal, unpack, unseal
from robosac.errors import PolicyRefused
from robosac.sac import PixelPolicy, Policy, Sac, SacSettings
from tests.robosac.policy_rig import (
    FAST,
    PAPER,
    normalised_weights,
    pixel_policy,
    pixel_schema,
    pixel_weights,
    resealed,
    sealed,
    vector_policy,
    vector_schema,
    vector_weights,
)

PREFIX = struct.Struct("<8sIII")


def refused(data: bytes, says: str | None = None, pixels: bool = False) -> None:
    with pytest.raises(PolicyRefused, match=says):
        unseal(data, pixel_schema() if pixels else vector_schema())


def summed(content: bytes) -> bytes:
    return content + hashlib.sha256(content).digest()


def test_what_was_sealed_comes_out() -> None:
    policy, data = vector_policy(), sealed(version=9)
    found = unseal(data, vector_schema(), like=policy)
    assert (found.version, found.learned) == (9, {"stream": 41})
    assert found.sha256 == data[-32:].hex() == hashlib.sha256(data[:-32]).hexdigest()
    for name, value in policy.weights().items():
        np.testing.assert_array_equal(found.policy.weights()[name], value)
    assert sealed(version=9) == data, "the same content has the same bytes"


NORMALISED = msgspec.structs.replace(vector_schema(), normaliser=(6,))


def test_a_normaliser_travels_with_its_policy() -> None:
    policy = Policy(normalised_weights(3))
    found = unseal(seal(policy, 4, {}, NORMALISED), NORMALISED, like=vector_policy())
    seen = np.random.default_rng(0).normal(0, 3, (9, 6)).astype(np.float32)
    np.testing.assert_array_equal(found.policy.mean_action(seen), policy.mean_action(seen))  # pyright: ignore[reportArgumentType]


def test_a_normaliser_is_there_where_it_is_told_of_and_nowhere_else() -> None:
    with pytest.raises(PolicyRefused, match="has a normaliser; told is none"):
        seal(Policy(normalised_weights(0)), 1, {}, vector_schema())
    with pytest.raises(PolicyRefused, match=r"has no normaliser; told is one of \(6,\)"):
        seal(vector_policy(), 1, {}, NORMALISED)


@pytest.mark.parametrize(
    ("array", "value", "says"),
    [
        ("observation_scale", None, "normaliser"),
        ("observation_mean", None, "normaliser"),
        ("observation_scale", np.zeros(6, np.float32), "positive"),
        ("observation_scale", np.full(6, np.inf, np.float32), "not finite"),
        ("observation_mean", np.full(6, np.nan, np.float32), "not finite"),
        ("observation_mean", np.zeros(7, np.float32), "normaliser"),
        ("observation_mean", np.zeros((6, 1), np.float32), "shape"),
        ("observation_scale", np.ones(6, np.int32), "int32"),
    ],
)
def test_a_normaliser_that_is_none_is_refused(array: str, value: Any, says: str) -> None:
    weights = {k: v for k, v in (normalised_weights(0) | {array: value}).items() if v is not None}
    tensors = save(weights)
    claims: dict[str, Any] = {
        "tensors_sha256": hashlib.sha256(tensors).hexdigest(),
        "shapes": {name: value.shape for name, value in weights.items()},
    }
    honest = seal(Policy(normalised_weights(0)), 7, {}, NORMALISED)
    with pytest.raises(PolicyRefused, match=says):
        unseal(resealed(honest, tensors, **claims), NORMALISED)


@pytest.mark.parametrize("recipe", [FAST, PAPER])
def test_a_policy_that_sees_travels_too(recipe: str) -> None:
    policy, schema = pixel_policy(3, recipe), pixel_schema()
    found = unseal(seal(policy, 0, {}, schema), schema, like=pixel_policy(1, FAST))
    assert isinstance(found.policy, PixelPolicy)
    assert (found.version, found.learned) == (0, {})
    seen: Any = {"image": np.full((8, 8, 3), 9, np.uint8), "state": np.ones(5, np.float32)}
    np.testing.assert_array_equal(found.policy.mean_action(seen), policy.mean_action(seen))


def test_the_learners_own_policy_is_sealed_as_it_is_now() -> None:
    agent = Sac(SacSettings(hidden_units=(8,), batch_size=4), 6, 2, seed=0)
    policy, schema = agent.policy(), vector_schema()
    data, before = seal(policy, 1, {}, schema), policy.weights()
    next(iter(policy._layers))[0][:] = 0.0
    assert (unseal(data, schema).policy.weights()["weight0"] == before["weight0"]).all()


@pytest.mark.parametrize("pixels", [False, True])
def test_any_flipped_bit_is_refused(pixels: bool) -> None:
    schema = pixel_schema() if pixels else vector_schema()
    data = seal(pixel_policy(), 7, {"s": 1}, schema) if pixels else sealed()
    for index in range(len(data)):
        broken = bytearray(data)
        broken[index] ^= 1 << index % 8
        refused(bytes(broken), pixels=pixels)


def test_any_length_but_its_own_is_refused() -> None:
    data = sealed()
    for length in range(len(data)):
        refused(data[:length])
    for more in (b"\0", data):
        refused(data + more)


@given(st.binary(max_size=300))
def test_anything_else_is_refused(data: bytes) -> None:
    refused(data)
    refused(summed(PREFIX.pack(MAGIC, FORMAT, len(data), 0) + data))
    refused(summed(PREFIX.pack(MAGIC, FORMAT, 0, len(data)) + data))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ((b"otherone", FORMAT, 0, 0), "begins with b'otherone'"),
        ((MAGIC, FORMAT + 1, 0, 0), f"format {FORMAT + 1}; this version reads {FORMAT}"),
        ((MAGIC, FORMAT, 0xFFFFFFFF, 0xFFFFFFFF), "claims 4294967295"),
        ((MAGIC, FORMAT, 1, 0), "claims 1"),
        ((MAGIC, FORMAT, 0, 0), "header cannot be read"),
    ],
)
def test_a_prefix_that_lies_is_refused(fields: tuple[Any, ...], says: str) -> None:
    refused(summed(PREFIX.pack(*fields)), says)


def test_sizes_have_their_caps(monkeypatch: pytest.MonkeyPatch) -> None:
    refused(bytes(MAX_BYTES + 1), f"{MAX_BYTES + 1}")
    data = sealed()
    monkeypatch.setattr(envelope, "MAX_HEADER_BYTES", 100)
    refused(data, "at most 100 are a header")
    monkeypatch.undo()
    monkeypatch.setattr(envelope, "MAX_BYTES", len(data) - 1)
    with pytest.raises(PolicyRefused, match="bytes; this has"):
        sealed()


LIES: list[tuple[dict[str, Any], str]] = [
    ({"version": 8}, "known input is not the one"),
    ({"learned": {"stream": 42}}, "known input is not the one"),
    ({"learned": {}}, "known input is not the one"),
    ({"schema_digest": "0" * 64}, "not the one whose digest it carries"),
    ({"schema": vector_schema(robot="other")}, "not the one whose digest it carries"),
    ({"tensors_sha256": "0" * 64}, "not those that were sealed"),
    ({"shapes": {}}, "told were"),
    ({"shapes": {"weight0": (6, 8)}}, "told were"),
]


@pytest.mark.parametrize(("lie", "says"), LIES)
def test_a_lie_under_a_right_checksum_is_refused(lie: dict[str, Any], says: str) -> None:
    refused(resealed(sealed(), **lie), says)


@pytest.mark.parametrize("field", ["seed", "action", "log_std"])
def test_another_known_output_is_refused(field: str) -> None:
    header = unpack(sealed())[0]
    old = getattr(header.golden, field)
    for value in (
        [old + 1]
        if field == "seed"
        else [
            (),
            (*old, 0.0),
            (old[0] + 1e-3, *old[1:]),
            (float("nan"), *old[1:]),
        ]
    ):
        golden = msgspec.structs.replace(header.golden, **{field: value})
        refused(resealed(sealed(), golden=golden), "known input")


def test_the_last_digits_of_another_computer_do_not_matter() -> None:
    golden = unpack(sealed())[0].golden
    near = msgspec.structs.replace(golden, action=tuple(x + 9e-5 for x in golden.action))
    assert unseal(resealed(sealed(), golden=near), vector_schema()).version == 7


def test_a_swapped_version_needs_the_policy_run_anew() -> None:
    """With seed and checksum made anew, the output at the new input is not the old one."""
    header, tensors, _ = unpack(sealed())
    lie = msgspec.structs.replace(header, version=8)
    seed = envelope.golden_seed(lie)
    lie = msgspec.structs.replace(lie, golden=msgspec.structs.replace(lie.golden, seed=seed))
    refused(pack(lie, tensors), "at the known input, with log std")


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (vector_schema(robot="arm"), "robot: 'legs' here, 'arm' there"),
        (vector_schema(seen=7), r"observation.vector.shape: \(6\) here, \(7\) there"),
        (vector_schema(actions=3), "actions: "),
        (pixel_schema(), "robot: 'legs' here, 'hand' there"),
        (msgspec.structs.replace(vector_schema(), normaliser=(6,)), "normaliser: nothing here"),
        (msgspec.structs.replace(vector_schema(), control_period_s=0.01), "0.02 here, 0.01 there"),
    ],
)
def test_a_policy_for_something_else_names_the_difference(other: Any, says: str) -> None:
    shape = other.observation.get("vector")
    policy: Policy | PixelPolicy = pixel_policy()
    if other.normaliser is not None:
        refused(seal(Policy(normalised_weights(0)), 7, {}, other), says)
        return
    if shape is not None:
        policy = Policy(vector_weights(0, shape.shape[0], len(other.actions)))
    refused(seal(policy, 7, {}, other), f"policy 7 is for something else: .*{says}")


def test_many_differences_are_counted() -> None:
    definition = {f"weight {index}": 1.0 for index in range(60)}
    other = msgspec.structs.replace(vector_schema(), definition=definition)
    refused(seal(vector_policy(), 7, {}, other), "and 54 more")


def test_a_right_envelope_of_another_kind_than_the_one_in_use_is_refused() -> None:
    with pytest.raises(PolicyRefused, match="is a Policy; the one in use is a PixelPolicy"):
        unseal(sealed(), vector_schema(), like=pixel_policy())


def with_arrays(change: dict[str, Any], honest_shapes: bool = True) -> bytes:
    """The arrays of a small policy with others among them, all sums and shapes right again."""
    weights = {k: v for k, v in (vector_weights(0) | change).items() if v is not None}
    tensors = save(weights)
    claims: dict[str, Any] = {"tensors_sha256": hashlib.sha256(tensors).hexdigest()}
    if honest_shapes:
        claims["shapes"] = {name: value.shape for name, value in weights.items()}
    return resealed(sealed(), tensors, **claims)


def noted(index: int, value: float) -> Any:
    bias = vector_weights(0)["bias0"].copy()
    bias[index] = value
    return bias


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"bias0": noted(2, np.nan)}, "bias0 holds values that are not finite"),
        ({"bias0": noted(2, np.inf)}, "bias0 holds values that are not finite"),
        ({"weight0": np.full((6, 8), 3e38, np.float32)}, "known input"),
        ({"bias0": np.zeros(9, np.float32)}, "is not a policy"),
        ({"bias0": np.zeros((), np.float32)}, r"bias0 has the shape \(\)"),
        ({"weight0": np.zeros((6, 0), np.float32)}, "weight0 has the shape"),
        ({"weight0": np.zeros(6, np.float32)}, "weight0 has the shape"),
        ({"weight0": np.zeros((6, 8), np.float64)}, "weight0 is F64"),
        ({"weight0": np.zeros((6, 8), np.float16)}, "weight0 is F16"),
        ({"weight0": np.zeros((6, 8), np.int64)}, "weight0 is int64"),
        ({"bias0": None}, "is not a policy"),
        ({"more": np.zeros(3, np.float32)}, r"more has the shape \(3,\)"),
        ({"weight0": np.zeros((7, 8), np.float32)}, "sees .*7.*here are"),
        ({"image_shape": np.array([8, 8, 3])}, "is not a policy"),
        (
            {"weight0": np.zeros((6, 4097), np.float32), "bias0": np.zeros(4097, np.float32)},
            "gives 4097 numbers; at most 4096",
        ),
    ],
)
def test_arrays_that_are_no_policy_are_refused(change: dict[str, Any], says: str) -> None:
    refused(with_arrays(change), says)


def test_arrays_other_than_told_are_refused() -> None:
    refused(with_arrays({"bias0": np.zeros(9, np.float32)}, honest_shapes=False), "told were")
    # The same numbers but for one, which the sum of the arrays alone does not tell any more.
    refused(with_arrays({"bias0": noted(0, 1.0)}), "known input is not the one")


def test_a_picture_whose_size_is_claimed_is_not_made() -> None:
    """Its pixels would not fit any memory; the reader's own schema says how many there are."""
    huge = pixel_weights(0) | {"image_shape": np.array([1 << 40, 1 << 40, 3])}
    tensors, data = save(huge), seal(pixel_policy(), 7, {}, pixel_schema())
    lie = {
        "tensors_sha256": hashlib.sha256(tensors).hexdigest(),
        "shapes": {name: value.shape for name, value in huge.items()},
    }
    refused(resealed(data, tensors, **lie), "policy 7", pixels=True)


@given(st.data())
def test_damaged_arrays_under_right_sums_raise_one_error(data: Any) -> None:
    tensors = unpack(sealed())[1]
    broken = bytearray(tensors)
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    if bytes(broken) == tensors:
        return
    claims: dict[str, Any] = {"tensors_sha256": hashlib.sha256(broken).hexdigest()}
    refused(resealed(sealed(), bytes(broken), **claims))


def test_a_header_in_another_form_is_refused() -> None:
    header, tensors, _ = unpack(sealed())
    document = msgspec.to_builtins(header)
    turned = msgspec.msgpack.encode(dict(reversed(document.items())))
    content = PREFIX.pack(MAGIC, FORMAT, len(turned), len(tensors)) + turned + tensors
    refused(summed(content), "canonical form")
    document["unknown"] = 1
    more = msgspec.msgpack.encode(document)
    content = PREFIX.pack(MAGIC, FORMAT, len(more), len(tensors)) + more + tensors
    refused(summed(content), "header cannot be read")


@pytest.mark.parametrize("spoilt", [np.nan, np.inf, 3e38])
def test_a_policy_that_is_no_good_is_not_sealed(spoilt: float) -> None:
    weights = vector_weights(0)
    # Large ones overflow to both infinities in the second layer, whatever the order of a sum:
    # half of the first one's units are positive for any input, and go on with either sign.
    weights["weight0"][:] = weights["weight1"][:] = spoilt
    weights["weight0"][:, ::2] *= -1
    weights["weight1"][2::4] *= -1
    weights["weight1"][3::4] *= -1
    with pytest.raises(PolicyRefused, match="finite"):
        seal(Policy(weights), 7, {}, vector_schema())


@pytest.mark.parametrize(
    ("version", "learned"), [(-1, {}), (1 << 63, {}), (0, {"s": -2}), (0, {"s": 1 << 63})]
)
def test_numbers_out_of_range_are_not_sealed(version: int, learned: dict[str, int]) -> None:
    with pytest.raises(PolicyRefused, match="out of range"):
        seal(vector_policy(), version, learned, vector_schema())


def test_a_policy_that_does_not_fit_is_not_sealed() -> None:
    for schema in (vector_schema(seen=7), vector_schema(actions=1), pixel_schema()):
        with pytest.raises(PolicyRefused, match="the policy to seal sees"):
            seal(vector_policy(), 0, {}, schema)
    with pytest.raises(PolicyRefused, match="float64"):
        seal(
            Policy({k: v.astype(np.float64) for k, v in vector_weights(0).items()}),
            0,
            {},
            vector_schema(),
        )
    with pytest.raises(PolicyRefused, match="header cannot be read"):
        seal(vector_policy(), 0, {"x" * 121: 1}, vector_schema())


def test_arrays_survive_as_float32() -> None:
    tensors = unpack(sealed())[1]
    assert {value.dtype.name for value in load(tensors).values()} == {"float32"}
