"""Offer an actor damaged policies: none may be taken, and the old one must keep acting.

    python -m tests.sweeps.damaged_policies --policies 100000

from the repository's root. Each is put on a real shelf, as the actor does with what comes. Counted
as failures: one that is taken, any error but PolicyRefused, any change of the shelf's folder, and
an old policy that acts otherwise than before, to the bit, when it is read anew every so often.
Half are the quadruped's, half the seeing hand's. Exit code 1 on any failure; each is told with its
number, by which `--first N --policies 1` makes it again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from robosac.envelope import unseal
from robosac.errors import PolicyRefused
from robosac.golden import golden_observation
from robosac.policy_shelf import PolicyShelf
from tests.sweeps.policy_damage import DAMAGES
from tests.sweeps.policy_specimens import Specimen, specimens
from tests.sweeps.saying import say

LOOK_EVERY = 500
"""Mutants after which the old policy is read anew and asked to act."""
SAY_EVERY_S = 2.0


@dataclass
class Row:
    """What became of one kind of damage."""

    damage: str
    policies: int = 0
    refused: int = 0
    accepted: int = 0
    other_errors: int = 0


@dataclass
class Result:
    """What the sweep found."""

    rows: dict[str, Row] = field(default_factory=dict)
    looks: int = 0
    """Times that the old policy was read anew and acted as before."""
    failures: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


class Actor:
    """A shelf with a policy that acts, to which damaged ones are offered."""

    def __init__(self, specimen: Specimen, folder: Path) -> None:
        self.specimen, self._folder = specimen, folder
        self.shelf = PolicyShelf(folder, specimen.schema)
        for data in reversed(specimen.envelopes[:2]):
            self.shelf.put(data)
        self._sha256 = unseal(specimen.envelopes[0], specimen.schema).sha256
        self._action = self._acts(self.shelf)
        self._files = self._listed()

    def changed(self) -> bool:
        """Whether the folder is not as it was."""
        return self._listed() != self._files

    def acts_as_before(self) -> bool:
        """Whether what a restart would find is the old policy, and does the same to the bit."""
        return self._acts(PolicyShelf(self._folder, self.specimen.schema)) == self._action

    def _acts(self, shelf: PolicyShelf) -> bytes:
        found = shelf.newest()
        if found is None or found.sha256 != self._sha256 or shelf.passed_over:
            return b""
        observation: Any = golden_observation(self.specimen.schema, 1)
        return found.policy.mean_action(observation).tobytes()

    def _listed(self) -> list[tuple[str, int, int]]:
        stats = [(path.name, path.stat()) for path in self._folder.iterdir()]
        return sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


def offer(actor: Actor, number: int, seed: int, result: Result) -> None:
    """Damage one envelope and put it on the actor's shelf."""
    names = list(DAMAGES)
    name = names[number // 2 % len(names)]
    data = DAMAGES[name](actor.specimen, np.random.default_rng((seed, number)))
    row = result.rows.setdefault(name, Row(name))
    row.policies += 1
    try:
        actor.shelf.put(data)
    except PolicyRefused as error:
        row.refused += 1
        result.reasons[_reason(str(error))] += 1
    except Exception as error:  # noqa: BLE001 (whatever it is, it is the finding)
        row.other_errors += 1
        result.failures.append(f"{number} ({actor.specimen.name}, {name}) raised {error!r}")
    else:
        row.accepted += 1
        result.failures.append(f"{number} ({actor.specimen.name}, {name}) was accepted")
    if actor.changed():
        result.failures.append(f"{number} ({actor.specimen.name}, {name}) changed the shelf")


def sweep(policies: int, seed: int, folder: Path, first: int = 0, units: int = 256) -> Result:
    """Offer so many, from number `first` on."""
    actors = [Actor(one, folder / one.name) for one in specimens(units)]
    result, began, said = Result(), time.perf_counter(), 0.0
    for done, number in enumerate(range(first, first + policies), start=1):
        offer(actors[number % 2], number, seed, result)
        if done % LOOK_EVERY == 0 or done == policies:
            for actor in actors:
                result.looks += 1
                if not actor.acts_as_before():
                    result.failures.append(f"after {number} the old policy did not act as before")
        spent = time.perf_counter() - began
        if spent > said:
            said = spent + SAY_EVERY_S
            left = spent / done * (policies - done)
            sys.stderr.write(
                f"\r{done:,} offered, {len(result.failures)} failures, {left:,.0f} s left      "
            )
    result.seconds = time.perf_counter() - began
    sys.stderr.write("\n")
    return result


def table(result: Result) -> str:
    """One line for each kind of damage, and the sum."""
    lines = [
        f"{'damage (* right checksums)':28}{'offered':>9}{'refused':>9}{'accepted':>10}  errors"
    ]
    for row in result.rows.values():
        lines.append(
            f"{row.damage:28}{row.policies:>9,}{row.refused:>9,}{row.accepted:>10}"
            f"{row.other_errors:>8}"
        )
    offered = sum(row.policies for row in result.rows.values())
    accepted = sum(row.accepted for row in result.rows.values())
    lines.append(
        f"{offered:,} damaged policies in {result.seconds:.0f} s: {accepted} accepted,"
        f" {len(result.failures)} failures; the old one acted as before in {result.looks} looks"
    )
    lines.append("refused because:")
    lines += [f"{count:>9,}  {reason}" for reason, count in result.reasons.most_common()]
    return "\n".join(lines + result.failures[:20])


def _reason(message: str) -> str:
    """A refusal without its numbers."""
    for reason in REASONS:
        if reason in message:
            return reason
    return f"another: {message[:80]}"


REASONS = (
    "its content does not match its SHA-256",
    "a policy's envelope has",
    "this is no policy's envelope",
    "the envelope has format",
    "the envelope claims",
    "the envelope's header cannot be read",
    "the envelope's header is not in its canonical form",
    "its schema is not the one whose digest it carries",
    "is for something else",
    "its arrays are not those that were sealed",
    "has arrays",
    "is not a policy",
    "numbers; at most",
    "holds values that are not finite",
    "gives numbers that are not finite",
    "numbers; here are",
    "its known input is not the one of what it claims",
    "at the known input, with log std",
    "; valid are F32",
)


def main(arguments: list[str]) -> int:
    """Print the table; 1 on any failure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--policies", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first one")
    parser.add_argument("--units", type=int, default=256, help="of each hidden layer")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        result = sweep(options.policies, options.seed, Path(name), options.first, options.units)
    say(table(result))
    if options.json:
        figures = {
            "rows": [asdict(row) for row in result.rows.values()],
            "looks": result.looks,
            "failures": result.failures,
            "reasons": dict(result.reasons),
            "seconds": result.seconds,
        }
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 1 if result.failures else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
