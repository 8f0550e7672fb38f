"""Settings from preset, file and command line: strict, frozen, printed whole."""

from __future__ import annotations

import difflib
import functools
import math
import typing
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import msgspec

from robosac.errors import ConfigError
from robosac.settings import ClawConfig, GymConfig, MinitaurConfig, Section, TrainConfig
from robosac.yaml_text import YamlError, parse_yaml, yaml_scalar

MAX_FILE_BYTES = 1_000_000
GYM_PREFIX = "gym:"
RECIPES = ("fast",)
"""Recipes that change defaults: the folders beside the presets that say how."""
COMMENT_COLUMN = 44


def presets() -> tuple[str, ...]:
    """Names of the presets that come with robosac; any `gym:ENV_ID` is one too."""
    folder = resources.files("robosac") / "presets"
    return tuple(sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".yaml")))


def load_preset(name: str, overrides: Sequence[str] = ()) -> TrainConfig:
    """Resolve a preset and overrides into the frozen tree.

    The preset's settings come first, over them what its recipe changes, then the file's, then the
    overrides: what somebody has asked for stays whatever the recipe.

    Args:
        name: a preset of `presets()`, `gym:ENV_ID`, or the path of a YAML file that names its
            preset under the key `preset`.
        overrides: `section.key=value` each; dashes count as underscores, a leading `--` is
            dropped, and values are read as YAML.

    Returns:
        A `GymConfig` for `gym:ENV_ID`, else the robot's: `MinitaurConfig` or `ClawConfig`.

    Raises:
        ConfigError: in one line, naming the key and what would be valid.
    """
    document = _read(name)
    kind = _kind(document["preset"])
    _check_keys(document, kind, ())
    for override in overrides:
        _apply(document, override, kind)
    return _convert(_complete(document), kind, f"preset {name}")


def parse(text: str, source: str = "configuration") -> TrainConfig:
    """Read what `dump` wrote, or a YAML document that changes some keys of its preset.

    Args:
        text: the document.
        source: what to call it in an error.

    Raises:
        ConfigError: in one line, naming the key and what would be valid.
    """
    document = _told(_mapping(text, source), source)
    kind = _kind(document["preset"])
    _check_keys(document, kind, ())
    return _convert(_complete(document), kind, source)


def dump(config: TrainConfig) -> str:
    """Every setting as YAML with its meaning and unit beside it; `parse` reads it back equal."""
    return "\n".join(_lines(config, 0)) + "\n"


def _lines(section: Section, depth: int) -> Iterable[str]:
    margin = "  " * depth
    hints = _hints(type(section), full=True)
    for field in section.__struct_fields__:
        value = getattr(section, field)
        if isinstance(value, Section):
            purpose = (type(value).__doc__ or "").strip().splitlines()[0]
            yield f"{margin}{field}:".ljust(COMMENT_COLUMN) + f"# {purpose}"
            yield from _lines(value, depth + 1)
            continue
        line = f"{margin}{field}: {yaml_scalar(value)}"
        yield line.ljust(COMMENT_COLUMN - 1) + f" # {_description(hints[field])}"


def _description(hint: Any) -> str:
    metas = [part for part in get_args(hint) if isinstance(part, msgspec.Meta)]
    return next((meta.description for meta in metas if meta.description), "")


@functools.cache
def _hints(section: type[Section], full: bool = False) -> dict[str, Any]:
    """Types by field; `full` keeps the ranges and descriptions."""
    return typing.get_type_hints(section, include_extras=full)


def _kind(preset: str) -> type[TrainConfig]:
    """The settings that a preset has; `_told` has refused the unknown ones."""
    if preset.startswith(GYM_PREFIX):
        return GymConfig
    return ClawConfig if preset.startswith("claw") else MinitaurConfig


def _read(name: str) -> dict[str, Any]:
    """What a preset's name, or a file by its path, tells: its preset is a known one."""
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        try:
            size = path.stat().st_size
            if size > MAX_FILE_BYTES:
                raise ConfigError(f"{name} is {size} bytes; settings have at most {MAX_FILE_BYTES}")
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{name} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{name} is not UTF-8 text: {error.reason}") from error
        return _told(_mapping(text, name), name)
    return _told({"preset": name}, name)


def _base(name: str) -> dict[str, Any]:
    if name.startswith(GYM_PREFIX):
        if not name.removeprefix(GYM_PREFIX):
            raise ConfigError("preset 'gym:' names no environment; valid is e.g. gym:Pendulum-v1")
        return {"preset": name}
    known = presets()
    if name not in known:
        raise ConfigError(
            f"unknown preset {name!r}{_guess(name, known)}; known are {', '.join(known)},"
            " gym:ENV_ID, or the path of a .yaml file"
        )
    text = (resources.files("robosac") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    return _mapping(text, f"preset {name}")


def _told(document: dict[str, Any], source: str) -> dict[str, Any]:
    """The document itself, if it names a known preset."""
    preset = document.get("preset")
    if not isinstance(preset, str):
        raise ConfigError(f"{source} has no key 'preset' naming the preset it changes")
    _base(preset)
    return document


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    """The preset's settings, over them its recipe's, over them what is told."""
    base = _base(document["preset"])
    recipe = document.get("recipe", base.get("recipe"))
    return _merge(_merge(base, _recipe(document["preset"], recipe)), document)


def _recipe(preset: str, recipe: Any) -> dict[str, Any]:
    """What a recipe changes of a preset's settings; nothing where no file says so."""
    if not isinstance(recipe, str) or recipe not in RECIPES:
        return {}
    name = "gym" if preset.startswith(GYM_PREFIX) else preset
    file = resources.files("robosac") / "presets" / recipe / f"{name}.yaml"
    if not file.is_file():
        return {}
    return _mapping(file.read_text(encoding="utf-8"), f"recipe {recipe} of preset {preset}")


def _merge(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in change.items():
        old: Any = merged.get(key)
        nested = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merge(old, value) if nested else value
    return merged


def _mapping(text: str, source: str) -> dict[str, Any]:
    try:
        document = parse_yaml(text)
    except YamlError as error:
        raise ConfigError(f"{source} is not valid YAML: {error}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{source} is not a mapping of settings")
    return document


def _apply(document: dict[str, Any], override: str, kind: type[Section]) -> None:
    """Write one `section.key=value` into the document; the key must exist in the tree."""
    text = override.removeprefix("--")
    key, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"override {override!r} has no value; valid is section.key=value")
    path = key.strip().replace("-", "_").split(".")
    if path == ["preset"]:
        raise ConfigError("preset cannot be overridden; name another preset instead")
    place, section = document, kind
    for depth, part in enumerate(path):
        inner = _field(section, part, path[:depth])
        last = depth == len(path) - 1
        if last and inner is not None:
            raise ConfigError(f"{'.'.join(path)} is a section; its keys are {_keys(inner)}")
        if not last and inner is None:
            raise ConfigError(f"{'.'.join(path[: depth + 1])} is a setting and has no keys below")
        if inner is None:
            place[part] = _value(value, section, path)
        else:
            section = inner
            place = place.setdefault(part, {})


def _value(text: str, section: type[Section], path: Sequence[str]) -> Any:
    """A command-line value: text where the setting is text, YAML elsewhere."""
    hint = _hints(section)[path[-1]]
    if hint is str or (str in get_args(hint) and text != "null"):
        return text
    try:
        return parse_yaml(text)
    except YamlError as error:
        raise ConfigError(f"{'.'.join(path)}: value {text!r} cannot be read: {error}") from error


def _field(section: type[Section], name: str, path: Sequence[str]) -> type[Section] | None:
    """The section a field holds, None for a plain setting; ConfigError when there is no such."""
    hints = _hints(section)
    if name not in hints:
        where = ".".join([*path, name])
        place = f" of {'.'.join(path)}" if path else ""
        raise ConfigError(
            f"unknown setting {where!r}{_guess(name, tuple(hints))};"
            f" known keys{place} are {_keys(section)}"
        )
    hint = hints[name]
    return hint if isinstance(hint, type) and issubclass(hint, Section) else None


def _keys(section: type[Section]) -> str:
    return ", ".join(section.__struct_fields__)


def _guess(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _convert(document: dict[str, Any], kind: type[TrainConfig], source: str) -> TrainConfig:
    _check_keys(document, kind, ())
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        message, _, place = " ".join(str(error).split()).partition(" - at `$")
        key = place.rstrip("`").lstrip(".")
        where = f"{key}: " if key else ""
        hint = _meaning(kind, key.split("[")[0].split(".")) if key else ""
        raise ConfigError(f"{source}: {where}{message}{hint}") from error


def _meaning(kind: type[Section], path: Sequence[str]) -> str:
    """What a key means, in brackets, for the end of an error."""
    for part in path[:-1]:
        inner = _hints(kind).get(part)
        if not (isinstance(inner, type) and issubclass(inner, Section)):
            return ""
        kind = inner
    hint = _hints(kind, full=True).get(path[-1])
    text = _description(hint)
    return f" ({path[-1]}: {text})" if text else ""


def _check_keys(document: dict[str, Any], section: type[Section], path: tuple[str, ...]) -> None:
    """Refuse unknown keys and numbers that are not finite, naming them in full."""
    for key, value in document.items():
        inner = _field(section, str(key), path)
        where = (*path, str(key))
        if inner is not None:
            if not isinstance(value, dict):
                raise ConfigError(
                    f"{'.'.join(where)} is {value!r}; valid is a mapping of {_keys(inner)}"
                )
            _check_keys(value, inner, where)
        numbers = value if isinstance(value, list) else [value]
        if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
            raise ConfigError(f"{'.'.join(where)} is {value}; valid is a finite number")
