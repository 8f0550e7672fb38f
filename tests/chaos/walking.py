"""The quadruped learns in real time while its actor and its learner are killed at random.

    python -m tests.chaos.walking --place chaos-walk --json walk.json --picture walk.png

from the repository's root. `robosac actor` and `robosac learner` are two programs with
certificates, the executor has a process of its own, the robot is a served twin in real time. Now
and then one of the two is killed (one time in ten both at once) and started again with `--resume`.
After each kill what its disk holds is written down, and at the end compared with what has arrived.
Exit code 1 if anything committed was lost, doubled or changed. The evaluations are the robot's,
deterministic.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure

from robosac.plot_style import LIGHT, Theme, render
from robosac.plots import learning_curve
from robosac.rows import Rows
from robosac.runs import RunFolder
from sim.served import served
from tests.chaos.audit import audit, inbox_rows, outbox_rows
from tests.chaos.laboratory import Laboratory

TWIN_PRIORITY: Final = 60
WINDOW: Final = 20
"""Episodes at either end that are held against each other."""
MOST_ENDS: Final = 50
"""Times an actor may end by itself and be started again, as a person would."""
LOOK_S: Final = 0.1


@dataclass(frozen=True)
class Kill:
    """One process ended by SIGKILL."""

    who: str
    robot_s: float
    """Robot time until then, s."""


class Walk:
    """One run under fire.

    Args:
        laboratory: both ends.
        pause: least and most s between two kills.
        seed: of the kills.
        ledger: what was seen on a disk after a kill.
    """

    def __init__(
        self, laboratory: Laboratory, pause: tuple[float, float], seed: int, ledger: Path
    ) -> None:
        self._laboratory, self._pause, self._rng = laboratory, pause, random.Random(seed)
        self._ledger = ledger
        self._seen: set[tuple[int, int]] = set()
        self.kills: list[Kill] = []
        self.ends: list[str] = []
        """What actors said that ended by themselves."""

    def run(self) -> None:
        """Until the actor has made its steps.

        Raises:
            RuntimeError: the learner ended by itself, or the actor did too often.
        """
        self._ledger.touch()
        for who in ("learner", "actor"):
            self._laboratory.start(who)
        while not self._live(self._rng.uniform(*self._pause)):
            both = self._rng.random() < 0.1
            one = self._rng.choice(("actor", "learner"))
            victims = ("actor", "learner") if both else (one,)
            for who in victims:
                self._laboratory.kill(who)
                self.kills.append(Kill(who, self._robot_s()))
                self._note(who)
            self._say()
            for who in victims:
                self._laboratory.start(who)

    def _live(self, seconds: float) -> bool:
        """Let both live for so long; True: the actor has come to its end."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(LOOK_S)
            if self._laboratory.ended("learner") is not None:
                raise RuntimeError(f"the learner ended: {self._laboratory.learner_said()}")
            code = self._laboratory.ended("actor")
            if code == 0:
                return True
            if code is None:
                continue
            # As where a person reads what is wrong and goes on.
            self.ends.append(self._laboratory.said().strip().splitlines()[-1])
            if len(self.ends) > MOST_ENDS:
                raise RuntimeError(f"the actor ended {MOST_ENDS} times: {self.ends[-3:]}")
            self._say()
            time.sleep(1.0)
            self._laboratory.start("actor")
        return False

    def _note(self, who: str) -> None:
        """Write down what is on the disk of who was killed."""
        new = on_disk(who, self._laboratory.runs[who]) - self._seen
        self._seen |= new
        with self._ledger.open("a", encoding="ascii") as file:
            file.writelines(f"{sequence} {crc}\n" for sequence, crc in sorted(new))

    def _robot_s(self) -> float:
        path = self._laboratory.runs["actor"]
        rows = RunFolder.open(path).rows() if (path / "config.yaml").exists() else []
        return max((row.robot_s for row in rows), default=0.0)

    def _say(self) -> None:
        counts = Counter(kill.who for kill in self.kills)
        sys.stderr.write(
            f"{self._robot_s() / 60:.1f} min on the robot, kills {dict(counts)},"
            f" {len(self.ends)} ends by itself\n"
        )
        sys.stderr.flush()


def on_disk(who: str, run: Path) -> set[tuple[int, int]]:
    """Sequence numbers and checksums of what the disk of `who` holds."""
    file = run / ("outbox.sqlite" if who == "actor" else "inbox.sqlite")
    if not file.exists():
        return set()
    if who == "actor":
        return set(outbox_rows(file)[1].items())
    return {(sequence, crc) for _, sequence, crc in inbox_rows(file)}


def progress(run: RunFolder) -> dict[str, Any]:
    """Whether the robot became better: its first and last episodes, and all evaluations."""
    rows = Rows(run.rows())
    policy = [row for row in rows.episodes if row.step > run.config.sac.random_steps]

    def ends(chosen: Sequence[Any]) -> dict[str, float]:
        return {
            "return": float(np.mean([row.return_ or 0.0 for row in chosen])),
            "speed_m_s": float(np.nanmean([row.speed_m_s or np.nan for row in chosen])),
            "length": float(np.mean([row.length for row in chosen])),
        }

    return {
        "episodes": len(rows.episodes),
        "first": ends(policy[:WINDOW]),
        "last": ends(policy[-WINDOW:]),
        "evaluations": [
            {"step": row.step, "speed_m_s": row.speed_m_s, "falls": row.falls,
             "return": row.return_mean, "episodes": row.episodes}
            for row in rows.evaluations
        ],
    }  # fmt: skip


def draw(run: RunFolder, kills: Sequence[Kill], theme: Theme) -> Figure:
    """The learning curve, with a line for each kill."""
    figure = learning_curve(Rows(run.rows()), theme)
    for axes in figure.axes:
        for kill in kills:
            colour = theme.red if kill.who == "actor" else theme.green
            axes.axvline(kill.robot_s / 60, color=colour, lw=0.6, alpha=0.6, zorder=0)
    figure.suptitle("Killed: the actor at each red line, the learner at each green one", fontsize=9)
    return figure


def main(arguments: list[str]) -> int:
    """Learn, be killed, audit; print the document."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--place", type=Path, required=True, help="a new folder; it stays")
    parser.add_argument("--steps", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pause", type=float, nargs=2, default=(20.0, 70.0), metavar="S")
    parser.add_argument("--set", action="append", default=[], help="a setting, as --key=value")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args(arguments)
    place: Path = options.place.absolute()
    place.mkdir(mode=0o700)
    settings = [f"--steps={options.steps}", f"--seed={options.seed}", *options.set]
    # Ended like Ctrl-C, so that nobody is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    cameras = place / "twin"
    cameras.mkdir()
    with served("minitaur", seed=options.seed, cameras=cameras, priority=TWIN_PRIORITY) as twin:
        laboratory = Laboratory(place, twin, settings)
        walk = Walk(laboratory, tuple(options.pause), options.seed, place / "ledger")
        try:
            walk.run()
        finally:
            laboratory.end()
        skipped_s = twin.ask("state")["skipped_s"]
    actor = RunFolder.open(laboratory.runs["actor"])
    found = audit(
        actor.path / "outbox.sqlite", laboratory.runs["learner"], place / "ledger", finished=True
    )
    document = {
        "clean": found.clean,
        "kills": dict(Counter(kill.who for kill in walk.kills)),
        "ended_by_itself": walk.ends,
        "wall_s": time.monotonic() - began,
        "twin_skipped_s": skipped_s,
        **asdict(found),
        **progress(actor),
    }
    text = json.dumps(document, indent=1) + "\n"
    sys.stdout.write(text)
    if options.json:
        options.json.write_text(text, encoding="utf-8")
    if options.picture:
        options.picture.write_bytes(render(partial(draw, actor, walk.kills), LIGHT))
    return 0 if found.clean else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
