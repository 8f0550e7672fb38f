"""How a line is changed: the library's operators, and ours where it has none.

The library (mutmut) changes operators, numbers, constants, conditions of ternaries, assignments.
Ours change what safety code is made of: conditions, calls, raised errors, extremes, names.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

# Only `make mutate` installs them.
cst: Any = importlib.import_module("libcst")
_library: Any = importlib.import_module("mutmut.mutation.mutators")

_NOT_USED = {"operator_string", "operator_arg_removal", "operator_dict_arguments"}
"""Of the library: ours change names only, and drop only arguments that have a default."""
_EXCHANGED = {
    "min": "max",
    "max": "min",
    "minimum": "maximum",
    "maximum": "minimum",
    "all": "any",
    "any": "all",
    "floor": "ceil",
    "ceil": "floor",
    "fmin": "fmax",
    "fmax": "fmin",
    "nanmin": "nanmax",
    "nanmax": "nanmin",
}


def is_sentence(node: Any) -> bool:
    """True for text with a space in it, which is written for people; a name has none."""
    if isinstance(node, cst.SimpleString):
        return " " in node.value
    if isinstance(node, cst.FormattedString):
        texts = [part for part in node.parts if isinstance(part, cst.FormattedStringText)]
        return any(" " in text.value for text in texts)
    return isinstance(node, cst.ConcatenatedString)


def changes(node: Any) -> Iterator[Any]:
    """Every node that may stand in the place of `node`."""
    for kind, operator in _library.mutation_operators:
        if isinstance(node, kind) and operator.__name__ not in _NOT_USED:
            yield from operator(node)
    for operator in (_names, _conditions, _arguments, _extremes, _statements):
        yield from operator(node)


def _names(node: Any) -> Iterator[Any]:
    """Another name; struct formats, keys and names of faults are names."""
    if isinstance(node, cst.SimpleString) and not is_sentence(node):
        quote = node.value.index(node.quote)
        inside = quote + len(node.quote)
        yield node.with_changes(value=f"{node.value[:inside]}XX{node.value[inside:]}")


def _forced(test: Any) -> Iterator[Any]:
    """`test`, made always false and always true; it is still evaluated."""
    if not test.lpar:
        test = test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    for operator, literal in ((cst.And(), "False"), (cst.Or(), "True")):
        yield cst.BooleanOperation(left=test, operator=operator, right=cst.Name(literal))


def _conditions(node: Any) -> Iterator[Any]:
    if isinstance(node, cst.If | cst.CompIf):
        yield from (node.with_changes(test=test) for test in _forced(node.test))
    elif isinstance(node, cst.While):
        yield node.with_changes(test=next(_forced(node.test)))


def _arguments(node: Any) -> Iterator[Any]:
    """One argument less: each that has a keyword, and the last of several without."""
    if isinstance(node, cst.Call):
        for index, argument in enumerate(node.args):
            last = index > 0 and index == len(node.args) - 1 and not argument.star
            if argument.keyword or last:
                rest = [*node.args[:index], *node.args[index + 1 :]]
                rest[-1:] = [one.with_changes(comma=cst.MaybeSentinel.DEFAULT) for one in rest[-1:]]
                yield node.with_changes(args=rest)


def _extremes(node: Any) -> Iterator[Any]:
    if isinstance(node, cst.Call):
        name = node.func.attr if isinstance(node.func, cst.Attribute) else node.func
        if isinstance(name, cst.Name) and name.value in _EXCHANGED:
            yield node.with_deep_changes(name, value=_EXCHANGED[name.value])


def _statements(node: Any) -> Iterator[Any]:
    """A call or an error left out; nothing returned."""
    if isinstance(node, cst.Raise) or (
        isinstance(node, cst.Expr) and isinstance(node.value, cst.Call | cst.Yield)
    ):
        yield cst.Pass()
    elif (
        isinstance(node, cst.Return)
        and node.value is not None
        and not (isinstance(node.value, cst.Name) and node.value.value == "None")
    ):
        yield node.with_changes(value=cst.Name("None"))
