"""Two ends agree where everything that decides what numbers mean is the same, and only there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete
from hypothesis import given
from hypothesis import strategies as st

from robosac.assembly import make_stage
from robosac.config import load_preset
from robosac.errors import ConfigError
from robosac.robots.claw_file import load_claw_file
from robosac.robots.robot_file import load_robot_file
from robosac.schema import Block, Part, Schema, differences, schema_of

DETERMINISTIC = msgspec.msgpack.Encoder(order="deterministic")


def schema(preset: str, *overrides: str) -> Schema:
    """With the spaces that the environment really has."""
    config = load_preset(preset, overrides)
    stage = make_stage(config)
    try:
        return schema_of(config, stage.env)
    finally:
        stage.close()


def spaces(observation: Any, actions: int = 8) -> Any:
    one = Box(-1, 1, (actions,), np.float32)
    return SimpleNamespace(observation_space=observation, action_space=one)


def walk(*overrides: str, seen: int = 112) -> Schema:
    box = Box(-1, 1, (seen,), np.float32)
    return schema_of(load_preset("minitaur", overrides), spaces(box))


@pytest.fixture(scope="module")
def known() -> dict[str, Schema]:
    presets = ("minitaur", "claw", "claw-pixels", "gym:Pendulum-v1")
    return {preset: schema(preset) for preset in presets}


def test_it_says_what_the_numbers_are(known: dict[str, Schema]) -> None:
    legs, pixels = known["minitaur"], known["claw-pixels"]
    assert (legs.robot, legs.task, legs.control_period_s) == ("minitaur", "walk", 0.02)
    assert legs.observation["vector"].shape == (112,)
    assert legs.observation["vector"].blocks[0].size == 12
    assert len(legs.actions) == 8
    assert legs == walk()
    assert pixels.robot == "claw"
    assert pixels.definition["definition"] == "paper"
    assert pixels.observation["image"].shape == (32, 32, 3)
    assert pixels.observation["image"].dtype == "uint8"
    assert pixels.observation["state"].shape == (18,)
    assert pixels.action_map["kind"] == "beside the joint"
    assert known["claw"].action_map["kind"] == "in the joint's range"
    assert known["gym:Pendulum-v1"].observation["vector"].shape == (3,)
    assert known["gym:Pendulum-v1"].control_period_s is None


def test_joints_are_the_robot_files(known: dict[str, Schema]) -> None:
    assert known["minitaur"].joints == load_robot_file(None).joint_names
    assert known["claw"].joints == load_claw_file(None).joint_names


@pytest.mark.parametrize("definition", ["robel-turn-fixed", "robel-screw-random"])
def test_robels_definitions_have_their_own_numbers(definition: str) -> None:
    found = schema("claw", f"task.definition={definition}")
    assert found.observation["vector"].shape == (21,)
    assert found.definition == {"definition": definition}
    overrides = (f"task.definition={definition}", "task.reward.near=0.5")
    hand = spaces(Box(-1, 1, (21,), np.float32), 9)
    assert schema_of(load_preset("claw", overrides), hand) == found


def test_it_travels_and_its_digest_with_it(known: dict[str, Schema]) -> None:
    digests = set()
    for found in known.values():
        data = DETERMINISTIC.encode(found)
        back = msgspec.msgpack.decode(data, type=Schema)
        assert back == found
        assert back.digest == found.digest
        assert DETERMINISTIC.encode(back) == data
        assert not differences(found, back)
        digests.add(found.digest)
    assert len(digests) == len(known)


def test_the_digest_does_not_change_unnoticed(known: dict[str, Schema]) -> None:
    """Kept policies carry it: a change here refuses all of them, so it must be meant."""
    assert known["gym:Pendulum-v1"].digest == (
        "4cc44994a1e53317b230e40d4b0f94d473d50a66f2f6d3e171dca855657bfba1"
    )


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("task.swing_range_rad=0.2", "action_map.swing_range_rad: 0.3 here, 0.2 there"),
        ("task.control_period_s=0.04", "control_period_s: 0.02 here, 0.04 there"),
        ("task.reward.pitch=2", "definition.reward.pitch: 3.0 here, 2.0 there"),
        ("task.fall_angle_rad=0.6", "definition.fall_angle_rad: 0.5 here, 0.6 there"),
        ("task.history=4", "observation.vector.shape: (112) here, (92) there"),
    ],
)
def test_what_differs_is_named_with_both_values(override: str, says: str) -> None:
    other = walk(override, seen=92 if "history" in override else 112)
    assert says in differences(walk(), other)
    assert other.digest != walk().digest


@pytest.mark.parametrize(
    "override", ["task.episode_steps=7", "task.settle_s=0.5", "task.reset=self", "seed=3"]
)
def test_what_changes_no_meaning_is_left_out(override: str) -> None:
    assert walk(override).digest == walk().digest


def test_another_robot_differs_in_nearly_everything(known: dict[str, Schema]) -> None:
    found = differences(known["minitaur"], known["claw-pixels"])
    text = "\n".join(found)
    assert "robot: 'minitaur' here, 'claw' there" in found
    assert "observation.vector.shape: (112) here, nothing there" in text
    assert "observation.image.shape: nothing here, (32, 32, 3) there" in text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("robot", "other"),
        ("task", "other"),
        ("definition", {}),
        ("joints", ("a",)),
        ("actions", ("a",)),
        ("observation", {"vector": Part("float32", (1,), (Block("b", "rad", 1),))}),
        ("control_period_s", None),
        ("action_map", {"kind": "other"}),
        ("normaliser", (3,)),
    ],
)
def test_every_field_counts(known: dict[str, Schema], field: str, value: Any) -> None:
    ours = known["minitaur"]
    theirs = msgspec.structs.replace(ours, **{field: value})
    found = differences(ours, theirs)
    assert found
    assert all(line.startswith(field) for line in found)
    assert theirs.digest != ours.digest


values = st.dictionaries(
    st.sampled_from(["a", "b", "a.b", "nothing"]),
    st.sampled_from([0.0, -0.0, 1.0, True, False, "1.0", "True", "nothing", "(1)"]),
)
schemas = st.builds(
    Schema,
    robot=st.sampled_from(["a", "nothing"]),
    task=st.just("walk"),
    definition=values,
    joints=st.sampled_from([(), ("a",), ("a", "b"), ("a, b",)]),
    actions=st.just(("a",)),
    observation=st.just({"vector": Part("float32", (1,), (Block("b", "rad", 1),))}),
    control_period_s=st.sampled_from([None, 0.0, -0.0, 1.0]),
    action_map=values,
    normaliser=st.sampled_from([None, (), (1,)]),
)


@given(schemas, schemas)
def test_a_difference_is_named_wherever_the_digests_differ(ours: Schema, theirs: Schema) -> None:
    assert bool(differences(ours, theirs)) == (ours.digest != theirs.digest)
    assert not differences(ours, msgspec.structs.replace(ours))


def test_spaces_of_another_task_are_refused() -> None:
    config, box = load_preset("minitaur"), Box(-1, 1, (112,), np.float32)
    schema_of(config, spaces(box))
    with pytest.raises(ConfigError, match="takes 9 numbers; walk takes 8"):
        schema_of(config, spaces(box, 9))
    with pytest.raises(ConfigError, match="walk shows is not as described"):
        schema_of(config, spaces(Box(-1, 1, (113,), np.float32)))
    with pytest.raises(TypeError, match="not a box"):
        schema_of(config, spaces(Discrete(3)))
    picture = Dict({"image": Box(0, 255, (4, 4, 3), np.uint8), "state": box})
    with pytest.raises(ConfigError, match="takes 1025 numbers"):
        schema_of(load_preset("gym:Other-v0"), spaces(box, 1025))
    assert set(schema_of(load_preset("gym:Other-v0"), spaces(picture)).observation) == {
        "image",
        "state",
    }


@given(st.binary(max_size=400))
def test_bytes_that_are_no_schema_raise_one_error(data: bytes) -> None:
    try:
        msgspec.msgpack.decode(data, type=Schema)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    pytest.fail("random bytes became a schema")


@pytest.mark.parametrize(
    "change",
    [
        {"control_period_s": float("nan")},
        {"action_map": {"range": float("inf")}},
        {"joints": ["j"] * 1025},
        {"robot": "x" * 121},
        {"definition": {str(index): 1.0 for index in range(129)}},
        {"normaliser": [1 << 20]},
        {"observation": {}},
        {
            "observation": {
                "vector": {"dtype": "float32", "shape": [4], "blocks": [["a", "rad", 3, 1]]}
            }
        },
        {"unknown": 1},
    ],
)
def test_what_is_too_large_or_contradicts_itself_is_refused(
    known: dict[str, Schema], change: dict[str, Any]
) -> None:
    document = msgspec.to_builtins(known["minitaur"])
    assert msgspec.convert(document, Schema) == known["minitaur"]
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(document | change), type=Schema)
