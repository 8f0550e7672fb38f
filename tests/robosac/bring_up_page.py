"""The marked blocks of docs/bring-up.md: what a person types, and the files that he writes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[2] / "docs" / "bring-up.md"
ROBOTS: Final = ("minitaur", "claw")
_BLOCK: Final = re.compile(r"^```(?P<kind>\w+)(?P<words>[^\n]*)\n(?P<text>.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """One block of the page.

    Attributes:
        kind: `sh` or `yaml`.
        words: behind it: the robot whose block it is first; none: it is typed by nobody here.
        lines: without comments.
    """

    kind: str
    words: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(self.lines) + "\n"

    def commands(self) -> Iterator[list[str]]:
        """The arguments of each `robosac` that is typed."""
        for line in self.lines:
            words = shlex.split(line, comments=True)
            assert words[0] == "robosac", f"{line!r} is none of our commands"
            yield words[1:]


def blocks(text: str | None = None) -> tuple[Block, ...]:
    """Every block, in order."""
    found = _BLOCK.finditer(PAGE.read_text() if text is None else text)
    return tuple(
        Block(part["kind"], tuple(part["words"].split()), tuple(part["text"].splitlines()))
        for part in found
    )


def of_robot(robot: str) -> tuple[Block, ...]:
    """The blocks of one robot, in order."""
    return tuple(block for block in blocks() if block.words[:1] == (robot,))
