"""YAML without its surprises: no aliases, tags or repeated keys, no `off` that means false."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError


class YamlError(ValueError):
    """Text that is not the plain YAML accepted here; one line."""


class _PlainLoader(yaml.SafeLoader):
    """SafeLoader that refuses aliases, tags and repeated keys, with the YAML 1.2 core scalars."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event: Any = self.peek_event()
            raise ComposerError(
                None, None, f"alias *{event.anchor} is not accepted", event.start_mark
            )
        tagged: Any = self.peek_event()
        if tagged.tag is not None:
            # The library raises errors of any kind where a value does not fit its tag.
            raise ComposerError(None, None, f"tag {tagged.tag} is not accepted", tagged.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ConstructorError(
                    None, None, "a key must be a single word or number", key.start_mark
                )
            if key.value in seen:
                raise ConstructorError(
                    None, None, f"key {key.value!r} appears twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


# YAML 1.1 reads `off` as false, `1e-3` as text and `1:30` as 90; the 1.2 core schema does not.
_PlainLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(0|[1-9][0-9_]*)", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf)|\.(nan|NaN)",
        "-+0123456789.",
    ),
):
    _PlainLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), [*_first, ""]
    )


def parse_yaml(text: str) -> Any:
    """Plain values (dict, list, str, int, float, bool, None) from one YAML document.

    Raises:
        YamlError: the text is not YAML, holds an alias, a tag or a repeated key.
    """
    try:
        # The loader is a SafeLoader: it builds plain values only.
        return _PlainLoader(text).get_single_data()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise YamlError(" ".join(str(error).split())) from error


def yaml_scalar(value: object) -> str:
    """One value on one line, such that `parse_yaml` and YAML 1.1 readers agree on it."""
    if isinstance(value, tuple):
        return "[" + ", ".join(yaml_scalar(item) for item in value) + "]"
    text = yaml.safe_dump(value, width=float("inf")).removesuffix("\n").removesuffix("\n...")
    if isinstance(value, str) and ("\n" in text or parse_yaml(text) != value):
        text = yaml.safe_dump(value, default_style='"', width=float("inf")).removesuffix("\n")
    return text
