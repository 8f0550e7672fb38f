"""What a policy and a transition depend on, so that two machines can tell whether they agree.

Both ends make it from their own settings and environment; nothing of it is believed from the other.
A message may carry one: every length in it has a cap.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from robosac.errors import ConfigError
from robosac.observation import IMAGE, STATE, Spaces, has_picture, shape_of
from robosac.settings import ClawConfig, MinitaurConfig, TrainConfig
from robosac.shapes import Count, Shape
from robosac.tasks.meaning import Meaning, Numbers, turn_meaning, walk_meaning

VECTOR = "vector"
"""Name of the only part of an observation without a picture."""
MAX_ACTIONS = 1024
_NOTHING = "nothing"
Name = Annotated[str, Meta(min_length=1, max_length=120)]
Names = Annotated[tuple[Name, ...], Meta(max_length=MAX_ACTIONS)]
Value = float | bool | Annotated[str, Meta(max_length=120)]
Values = Annotated[dict[Name, Value], Meta(max_length=128)]


class Block(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stretch of an observation: `size` numbers for each of `steps` steps, the oldest first."""

    name: Name
    unit: Name
    size: Count
    steps: Count = 1


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One array of an observation."""

    dtype: Literal["float32", "uint8"]
    shape: Shape
    blocks: Annotated[tuple[Block, ...], Meta(max_length=64)]
    """In order; together they fill the shape."""

    def __post_init__(self) -> None:
        told = sum(block.size * block.steps for block in self.blocks)
        if told != math.prod(self.shape):
            raise ValueError(f"blocks of {told} numbers; the shape {self.shape} has others")


class Schema(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a policy and a transition depend on."""

    robot: Name
    task: Name
    definition: Values
    """Settings of the task that decide reward, ends and what is seen."""
    joints: Names
    actions: Names
    """What each number of an action moves."""
    observation: Annotated[dict[Name, Part], Meta(min_length=1, max_length=4)]
    """By part: `vector`, or `image` and `state`."""
    control_period_s: float | None
    """Between policy steps, s; None: the environment knows no time."""
    action_map: Values
    """Settings by which an action in [-1, 1] becomes joint targets."""
    normaliser: Shape | None = None
    """Of the observation's running mean; None: what is seen is not normalised."""

    def __post_init__(self) -> None:
        numbers = [*self.definition.values(), *self.action_map.values(), self.control_period_s]
        if not all(math.isfinite(x) for x in numbers if isinstance(x, float)):
            raise ValueError("a schema's numbers must be finite")

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, hexadecimal; the same on every machine."""
        text = json.dumps(
            msgspec.to_builtins(self), sort_keys=True, separators=(",", ":"), allow_nan=False
        )
        return hashlib.sha256(text.encode()).hexdigest()


def schema_of(config: TrainConfig, spaces: Spaces) -> Schema:
    """The schema of a run: its settings, and the spaces of the environment they made.

    Raises:
        ConfigError: the spaces are not those of these settings' task.
        TypeError: actions or observations are no boxes of numbers.
    """
    picture = has_picture(spaces.observation_space)
    shapes = {part: shape_of(spaces.observation_space, part) for part in (IMAGE, STATE)}
    seen = shapes if picture else {VECTOR: shapes[STATE]}
    vector = seen[STATE if picture else VECTOR]
    acted = math.prod(shape_of(spaces.action_space))
    robot, meaning, period = _meaning(config, math.prod(vector), acted)
    if len(meaning.actions) != acted:
        raise ConfigError(
            f"the environment takes {acted} numbers; {meaning.task} takes {len(meaning.actions)}"
        )
    try:
        return Schema(
            robot=robot,
            task=meaning.task,
            definition=meaning.definition,
            joints=meaning.joints,
            actions=meaning.actions,
            observation={part: _part(part, shape, meaning.seen) for part, shape in seen.items()},
            control_period_s=period,
            action_map=meaning.action_map,
            normaliser=vector if config.normalised else None,
        )
    except ValueError as error:
        raise ConfigError(f"what {meaning.task} shows is not as described: {error}") from error


def differences(ours: Schema, theirs: Schema) -> list[str]:
    """Each field in which the two differ, with both values; empty where the digests are equal."""
    here = {path: _text(value) for path, value in _leaves(ours)}
    there = {path: _text(value) for path, value in _leaves(theirs)}
    # As text, for True equals 1.0 and 0.0 equals -0.0, and their digests do not.
    return [
        f"{path}: {here.get(path, _NOTHING)} here, {there.get(path, _NOTHING)} there"
        for path in dict.fromkeys([*here, *there])
        if here.get(path, _NOTHING) != there.get(path, _NOTHING)
    ]


def _meaning(config: TrainConfig, seen: int, acted: int) -> tuple[str, Meaning, float | None]:
    """Robot, meaning and control period (s); `seen`, `acted`: how many numbers, where unknown."""
    robot = config.preset.split("-")[0]
    if isinstance(config, MinitaurConfig):
        return robot, walk_meaning(config.task), float(config.task.control_period_s)
    if isinstance(config, ClawConfig):
        return robot, turn_meaning(config.task), float(config.task.control_period_s)
    if acted > MAX_ACTIONS:
        raise ConfigError(f"{config.preset} takes {acted} numbers; at most {MAX_ACTIONS} are")
    environment = Meaning(
        task=config.preset,
        definition={},
        joints=(),
        actions=tuple(f"action {index}" for index in range(acted)),
        seen=(Numbers("as the environment gives it", "1", seen),),
        action_map={"kind": "the environment's own bounds"},
    )
    return config.preset, environment, None


def _part(name: str, shape: tuple[int, ...], seen: Iterable[Numbers]) -> Part:
    if name == IMAGE:
        picture = Block("picture, rows from the top, RGB", "of 255", math.prod(shape))
        return Part("uint8", shape, (picture,))
    blocks = tuple(Block(x.name, x.unit, x.size, x.steps) for x in seen)
    return Part("float32", shape, blocks)


def _leaves(value: Any, path: str = "") -> Iterable[tuple[str, Any]]:
    """Every plain value by its path; a row of plain values is one."""
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, tuple) and any(isinstance(inner, msgspec.Struct) for inner in value):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{index}]")
    else:
        yield path, value


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(repr, value))})"
    return _NOTHING if value is None else repr(value)
