"""A mutant and what it is known by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """What a mutant is known by in docs/mutation.md."""

    file: str
    """From the root."""
    where: str
    """Qualified name of the outermost function, or else of the class; empty: the module."""
    before: str
    """The line or lines that change, white space closed up."""
    after: str

    def __str__(self) -> str:
        return f"{self.file}: `{self.where}`: `{self.before}` → `{self.after}`"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change to one file."""

    key: Key
    text: str
    """The whole file, changed."""
    first_line: int
    """Of the statement that changes; from 1."""
    last_line: int
    in_function: bool
    """False: the change is at work when the module is imported."""
