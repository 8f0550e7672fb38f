"""Every mutant of one source file: its text, and a key that outlives changes elsewhere.

Not mutated, because nothing the program does depends on it, or another tool looks after it:
annotations and type aliases (pyright), decorators (frozen, slots), imports, `assert`, docstrings,
and sentences for people: text with a space in it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.mutation.keys import Key, Mutant
from tests.mutation.operators import changes, cst, is_sentence


@dataclass(frozen=True, slots=True)
class _Place:
    where: str = ""
    in_function: bool = False
    statement: int = 0
    """Line where the innermost statement begins; 0: outside of any."""


def mutants_of(root: Path, file: str) -> list[Mutant]:
    """All mutants of `root / file`, in the order of the file; no two have the same text."""
    source = (root / file).read_text()
    wrapper = cst.MetadataWrapper(cst.parse_module(source), unsafe_skip_copy=True)
    writer = _Writer(file, source, wrapper)
    found: dict[str, Mutant] = {}
    for node, place in _walk(wrapper.module, _Place(), writer):
        for changed in changes(node):
            mutant = writer.mutant(node, changed, place)
            if mutant is not None:
                found.setdefault(ast.dump(ast.parse(mutant.text)), mutant)
    found.pop(ast.dump(ast.parse(source)), None)
    return list(found.values())


class _Writer:
    """Puts a changed node into the text of its file."""

    def __init__(self, file: str, source: str, wrapper: Any) -> None:
        self._file, self._source, self._module = file, source, wrapper.module
        self._positions = wrapper.resolve(cst.metadata.PositionProvider)
        self._lines = source.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def line(self, node: Any) -> int:
        return self._positions[node].start.line

    def mutant(self, node: Any, changed: Any, place: _Place) -> Mutant | None:
        """None where the change makes no sense there."""
        # Of a long statement only the changed head is shown and counted as its lines.
        if isinstance(node, cst.If | cst.While | cst.CompIf):
            node, changed = node.test, changed.test
        span = self._positions[node]
        begin = self._starts[span.start.line - 1] + span.start.column
        end = self._starts[span.end.line - 1] + span.end.column
        if hasattr(changed, "lpar") and getattr(node, "lpar", None) and changed.lpar:
            changed = changed.with_changes(lpar=[], rpar=[])
        put = self._module.code_for_node(changed).strip()
        if self._source[begin] == " ":
            # An operator's place begins with the space before it.
            put = f" {put}"
        text = self._source[:begin] + put + self._source[end:]
        try:
            compile(text, self._file, "exec", dont_inherit=True)
        except SyntaxError:
            return None
        first, last = span.start.line, span.end.line
        before = "".join(self._lines[first - 1 : last])
        rest = self._starts[last] - end
        after = text[self._starts[first - 1] : begin + len(put) + rest]
        key = Key(self._file, place.where, " ".join(before.split()), " ".join(after.split()))
        return Mutant(key, text, place.statement or first, last, place.in_function)


def _walk(node: Any, place: _Place, writer: _Writer) -> Iterator[tuple[Any, _Place]]:
    """Every node that may be changed, with where it is."""
    if _kept(node, place) or is_sentence(node):
        return
    if isinstance(node, cst.BaseCompoundStatement | cst.BaseSmallStatement):
        place = replace(place, statement=writer.line(node))
    yield node, place
    if isinstance(node, cst.ClassDef | cst.FunctionDef) and not place.in_function:
        inner = replace(place, where=f"{place.where}.{node.name.value}".lstrip("."))
        if isinstance(node, cst.FunctionDef):
            # What stands in the head is at work when the function is defined.
            yield from _walk(node.params, inner, writer)
            inner = replace(inner, in_function=True)
        yield from _walk(node.body, inner, writer)
        return
    for child in node.children:
        yield from _walk(child, place, writer)


def _kept(node: Any, place: _Place) -> bool:
    """True for what is not mutated."""
    if isinstance(
        node, cst.Annotation | cst.Decorator | cst.Import | cst.ImportFrom | cst.Assert
    ) or (isinstance(node, cst.Expr) and isinstance(node.value, cst.BaseString)):
        return True
    if isinstance(node, cst.If):
        return isinstance(node.test, cst.Name) and node.test.value == "TYPE_CHECKING"
    return isinstance(node, cst.Assign) and not place.in_function and _is_type(node.value)


def _is_type(value: Any) -> bool:
    """True for `Callable[...]` and `A | B`, which name types."""
    if isinstance(value, cst.BinaryOperation):
        return isinstance(value.operator, cst.BitOr) and isinstance(value.right, cst.Name)
    return isinstance(value, cst.Subscript)
