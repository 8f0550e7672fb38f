"""Sets of demonstrations on disk: one safetensors file with a JSON header and a sum over both.

Reading executes nothing, and sizes are checked before anything of them is allocated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from robosac.demonstrations import ENDS, DemonstrationSet, Interface, Source
from robosac.demonstrations_check import validate
from robosac.errors import ConfigError
from robosac.files import write_whole
from robosac.replay import Array
from robosac.tasks.ends import EpisodeEnd

FORMAT, VERSION = "robosac-demonstrations", 1
MOST_BYTES = 4 * 2**30
TOLD_PROBLEMS = 5
# Names that the safetensors format has for the element types used here.
DTYPES = {"U8": np.uint8, "F32": np.float32, "I64": np.int64, "BOOL": np.bool_}


class _Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The header's JSON; `ends` names the codes, so that new kinds of ends may be added."""

    format: str
    version: int
    task: str
    robot: str
    image_shape: tuple[int, int, int] | None
    state_dim: int
    action_dim: int
    control_period_s: float
    source: Source
    episodes: int
    steps: int
    successes: int
    ends: list[str]

    @property
    def layout(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Element type and shape of each array."""
        frames, steps, episodes = self.steps + self.episodes, self.steps, self.episodes
        images = {} if self.image_shape is None else {"images": ("U8", (frames, *self.image_shape))}
        return images | {
            "states": ("F32", (frames, self.state_dim)),
            "requested_actions": ("F32", (steps, self.action_dim)),
            "executed_actions": ("F32", (steps, self.action_dim)),
            "reasons": ("I64", (steps,)),
            "rewards": ("F32", (steps,)),
            "rewarded": ("BOOL", (steps,)),
            "terminated": ("BOOL", (steps,)),
            "ends": ("U8", (steps,)),
            "episode_steps": ("I64", (episodes,)),
            "successes": ("BOOL", (episodes,)),
        }


def write(path: Path, shown: DemonstrationSet) -> None:
    """Write a set, whole or not at all.

    Raises:
        ValueError: an array's type or shape is not what the set's interface says.
        OSError: the disk refuses; what was there before is left.
    """
    face = shown.interface
    header = _Header(
        format=FORMAT,
        version=VERSION,
        task=face.task,
        robot=face.robot,
        image_shape=face.image_shape,
        state_dim=face.state_dim,
        action_dim=face.action_dim,
        control_period_s=face.control_period_s,
        source=shown.source,
        episodes=shown.episodes,
        steps=shown.steps,
        successes=shown.claimed_successes,
        ends=[end.value for end in ENDS],
    )
    arrays: dict[str, Array] = {}
    for name, (dtype, shape) in header.layout.items():
        value = getattr(shown, name)
        if value.dtype != DTYPES[dtype] or value.shape != shape:
            raise ValueError(f"{name} is {value.dtype}{value.shape}; expected {dtype}{shape}")
        arrays[name] = np.ascontiguousarray(value)
    text = msgspec.json.encode(header).decode()
    write_whole(path, save(arrays, {"header": text, "sha256": _digest(text, arrays)}))


def load(path: Path, expected: Interface) -> DemonstrationSet:
    """Read a set that a run with this interface may learn from.

    Raises:
        ConfigError: it cannot be read, or `validate` finds something wrong; the first is told.
    """
    shown = read(path)
    report = validate(shown, expected)
    if not report.ok:
        told = "; ".join(report.lines(TOLD_PROBLEMS))
        raise ConfigError(f"{path} is not a valid set of demonstrations: {told}")
    return shown


def read(path: Path) -> DemonstrationSet:
    """Read a set, whatever its episodes are worth.

    Raises:
        ConfigError: it is missing, too large, damaged, or of a format this version does not read.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ConfigError(f"{path} has {size} bytes; a set may have {MOST_BYTES} at most")
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            header = _header(path, metadata)
            arrays = _arrays(path, file, header)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error
    except SafetensorError as error:
        raise ConfigError(f"{path} is not a safetensors file, or damaged: {error}") from error
    if _digest(metadata["header"], arrays) != metadata["sha256"]:
        raise ConfigError(f"{path} is damaged: its content does not match its SHA-256")
    lengths = arrays["episode_steps"]
    if ((lengths < 0) | (lengths > header.steps)).any() or lengths.sum() != header.steps:
        raise ConfigError(f"{path}: its episodes do not add up to {header.steps} steps")
    arrays["ends"] = _known_ends(path, header.ends, arrays["ends"])
    return DemonstrationSet(
        interface=Interface(
            task=header.task,
            robot=header.robot,
            image_shape=header.image_shape,
            state_dim=header.state_dim,
            action_dim=header.action_dim,
            control_period_s=header.control_period_s,
        ),
        source=header.source,
        claimed_successes=header.successes,
        **{"images": None, **arrays},
    )


def _header(path: Path, metadata: Mapping[str, str]) -> _Header:
    if not {"header", "sha256"} <= set(metadata):
        raise ConfigError(f"{path} is not a set of demonstrations: it has no header and sum")
    try:
        header = msgspec.json.decode(metadata["header"], type=_Header)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path} is not a set of demonstrations: header: {error}") from error
    if (header.format, header.version) != (FORMAT, VERSION):
        found = (header.format, header.version)
        raise ConfigError(f"{path} is {found}; this version reads {(FORMAT, VERSION)}")
    return header


def _arrays(path: Path, file: Any, header: _Header) -> dict[str, Array]:
    """The arrays, after their types and shapes were held against the header."""
    names, layout = set(file.keys()), header.layout
    if names != set(layout):
        raise ConfigError(f"{path} holds {sorted(names)}; expected {sorted(layout)}")
    for name, (dtype, shape) in layout.items():
        part = file.get_slice(name)
        found = (part.get_dtype(), tuple(part.get_shape()))
        if found != (dtype, shape):
            hint = "; pictures are bytes from 0 to 255" if name == "images" else ""
            raise ConfigError(f"{path}: {name} is {found}; expected {(dtype, shape)}{hint}")
    return {name: file.get_tensor(name) for name in layout}


def _known_ends(path: Path, names: list[str], codes: Array) -> Array:
    """The file's codes of ends as this version's; a code without a name stays out of range."""
    known = {end.value: 1 + code for code, end in enumerate(ENDS)}
    unknown = [name for name in names if name not in known]
    if unknown or len(names) > len(ENDS):
        valid = ", ".join(EpisodeEnd)
        raise ConfigError(f"{path} names the ends {names}; this version knows {valid}")
    table = np.full(256, 255, np.uint8)
    table[: len(names) + 1] = [0, *(known[name] for name in names)]
    return table[codes]


def _digest(header: str, arrays: Mapping[str, Array]) -> str:
    """SHA-256 of the header and of the arrays in the order of their names."""
    sha = hashlib.sha256(header.encode())
    for name in sorted(arrays):
        sha.update(np.ascontiguousarray(arrays[name]).reshape(-1).view(np.uint8).data)
    return sha.hexdigest()
