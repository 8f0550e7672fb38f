"""docs/mutation.md: the score of each file, and every mutant that no test can tell from the file.

An entry is a line under the heading of its file:

    - `Class.method`: `line as it is` → `line as mutated`: why nobody can tell them apart.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.keys import Key

_FILE = re.compile(r"^### `([^`]+)`$")
_ENTRY = re.compile(r"^- `([^`]*)`: `([^`]+)` → `([^`]*)`: (.+)$")
_TABLE = re.compile(r"(?<=<!-- score -->\n).*?(?=<!-- end of score -->)", re.DOTALL)
MODULE = "(module)"
"""Written for what stands outside of functions and classes."""


@dataclass(frozen=True, slots=True)
class Score:
    """How the mutants of one file ended."""

    file: str
    mutants: int
    killed: int
    timed_out: int
    equivalent: int
    """Survivors that are listed."""
    survived: int = 0
    """Survivors that are not."""


def read_equivalent(path: Path) -> dict[Key, str]:
    """The listed mutants, each with its reason. Raises ValueError for an entry it cannot read."""
    file, found = "", dict[Key, str]()
    for number, line in enumerate(path.read_text().splitlines(), 1):
        heading, entry = _FILE.match(line), _ENTRY.match(line)
        if heading:
            file = heading[1]
        elif entry and file:
            where = "" if entry[1] == MODULE else entry[1]
            found[Key(file, where, entry[2], entry[3])] = entry[4]
        elif file and line.startswith("- "):
            raise ValueError(
                f"{path}:{number}: an entry is - `function`: `before` → `after`: reason"
            )
    return found


def entry(key: Key) -> str:
    """`key` as an entry that lacks its reason."""
    return f"- `{key.where or MODULE}`: `{key.before}` → `{key.after}`: "


def stale(listed: Iterable[Key], survivors: Iterable[Key], files: Iterable[str]) -> list[Key]:
    """What is listed of `files` and survives no more, or is there no more."""
    left, judged = Counter(survivors), set(files)
    return [key for key in listed if key.file in judged and not left[key]]


def table(scores: Iterable[Score]) -> str:
    """The scores as Markdown, with a line for all."""
    rows = list(scores)
    total = [
        sum(getattr(row, name) for row in rows)
        for name in ("mutants", "killed", "timed_out", "equivalent", "survived")
    ]
    lines = [
        "| file | mutants | killed | never ended | equivalent | score |",
        "|---|" + "---:|" * 5,
    ]
    for row in rows:
        counts = (row.mutants, row.killed, row.timed_out, row.equivalent)
        lines.append(_row(f"`{row.file}`", *counts, row.survived))
    lines.append(_row("all", *total))
    return "\n".join(lines) + "\n"


def _row(name: str, mutants: int, killed: int, timed_out: int, equivalent: int, left: int) -> str:
    tellable = mutants - equivalent
    share = 100.0 * (tellable - left) / tellable if tellable else 100.0
    return f"| {name} | {mutants} | {killed} | {timed_out} | {equivalent} | {share:.1f} % |"


def write_table(path: Path, scores: Iterable[Score]) -> None:
    """Put the table of `scores` in its place in the document at `path`."""
    text, count = _TABLE.subn(lambda _: table(scores), path.read_text())
    if count != 1:
        raise ValueError(f"{path} has no place for the score")
    path.write_text(text)
