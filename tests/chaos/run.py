"""Kill actor and learner at random, again and again, until the run is over; then audit it.

    python -m tests.chaos.run --kills 200 --steps 20000
    python -m tests.chaos.run --steps 2000 --lockstep --kills 0     # what a killed one must equal

from the repository's root. Both ends are the product's, with certificates over TLS unless it is
`--plain`; `--faults` puts a proxy between them that cuts, resets, flips bits, stalls and
blackholes. Exit code 1 if anything committed was lost, doubled or changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from robosac import checkpoint
from robosac.assembly import make_stage
from robosac.config import load_preset
from robosac.link.addresses import Address
from robosac.link.keys import issue, make_authority
from robosac.link.peers import Peer, Role
from robosac.policy_shelf import PolicyShelf
from robosac.runs import RunFolder
from robosac.schema import schema_of
from tests.chaos import ends
from tests.chaos.audit import audit
from tests.chaos.ends import Site
from tests.robosac.link.chaos_proxy import Chances, ChaosProxy

SMALL = (
    "learner_process.used=true",
    "learner_process.without_learner_s=600",
    "sac.batch_size=16",
    "sac.random_steps=100",
    "sac.updates_per_step=0.2",
    "sac.replay_capacity=3000",
    "checkpoint_every_episodes=3",
    "evaluation.every_steps=1000",
    "evaluation.episodes=1",
)
FAULTS = Chances(cut=0.01, reset=0.01, flip=0.01, stall=0.01, blackhole=0.002, delay=0.1)
SETTLE_S = 120.0
"""Longest time for a run to finish once nobody is killed any more."""


class Chaos:
    """One run: both ends, who kills them, and what was seen.

    Args:
        place: an empty folder that only its owner may enter.
        options: of the command line.
    """

    def __init__(self, place: Path, options: argparse.Namespace) -> None:
        self._rng = random.Random(options.seed)
        self._options, self._place = options, place
        flag = str(options.lockstep).lower()
        overrides = [*SMALL, f"steps={options.steps}", f"learner_process.lockstep={flag}"]
        config = load_preset(options.preset, [*overrides, *options.set])
        actor = RunFolder.create(place / "actor", config)
        learner = RunFolder.create(place / "learner", config)
        listens, keys = self._door()
        calls = listens
        self._proxy: ChaosProxy | None = None
        if options.faults:
            self._proxy = ChaosProxy((listens.host, listens.port), FAULTS, options.seed)
            calls = Address("127.0.0.1", self._proxy.port)
        self.site = Site(actor.path, learner.path, listens, calls, *keys, place / "ledger")
        self._make = ends.make_real if options.real else ends.make_summing
        self.kills = {"actor": 0, "learner": 0}
        self._pids: dict[str, int] = {}

    def run(self) -> dict[str, Any]:
        """Kill until there were enough kills, let it finish, and look."""
        began = time.monotonic()
        for who in ("learner", "actor"):
            self._start(who)
        finished = False
        while not finished and sum(self.kills.values()) < self._options.kills:
            finished = self._watch(self._rng.uniform(*self._options.pause))
            if not finished:
                # Both at once, now and then, as when a whole laboratory loses power.
                both = self._rng.random() < 0.1
                for who in (
                    ("actor", "learner") if both else (self._rng.choice(("actor", "learner")),)
                ):
                    self._kill(who)
        if not finished:
            finished = self._watch(self._options.settle)
        self._end()
        found = audit(
            self.site.actor / "outbox.sqlite",
            self.site.learner,
            self.site.ledger,
            finished=finished,
        )
        newest = checkpoint.latest(self.site.learner)
        return {
            "finished": finished,
            "clean": found.clean,
            "kills": self.kills,
            "faults": {} if self._proxy is None else dict(self._proxy.done),
            "seconds": time.monotonic() - began,
            **found.document(),
            "learned": None if newest is None else _digest(newest / "state.safetensors"),
            "policy": self._policy(),
        }

    def _policy(self) -> str | None:
        """What the actor would act by; whose stream it is does not count."""
        run = RunFolder.open(self.site.actor)
        stage = make_stage(run.config)
        shelf = PolicyShelf(run.path / "policies", schema_of(run.config, stage.env))
        stage.close()
        newest = shelf.newest()
        if newest is None:
            return None
        weights = sorted(newest.policy.weights().items())
        return hashlib.sha256(b"".join(value.tobytes() for _, value in weights)).hexdigest()

    def _door(self) -> tuple[Address, tuple[Path | None, Path | None]]:
        if self._options.plain and not self._options.faults:
            folder = self._place / "door"
            folder.mkdir(mode=0o700)
            return Address("", 0, str(folder / "link")), (None, None)
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = Address("127.0.0.1", free.getsockname()[1])
        if self._options.plain:
            return address, (None, None)
        laboratory = self._place / "laboratory"
        make_authority(laboratory)
        robot = issue(laboratory, Peer(Role.ROBOT, "actor"))
        learner = issue(laboratory, Peer(Role.LEARNER, "learner"))
        return address, (robot, learner)

    def _start(self, who: str) -> None:
        site, make = self.site, self._make
        work = (lambda: ends.act(site)) if who == "actor" else (lambda: ends.learn(site, make))
        self._pids[who] = ends.forked(work, self._place / f"{who}.log")

    def _watch(self, seconds: float) -> bool:
        """Let them live for so long; True once the actor has come to its end."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for who, child in list(self._pids.items()):
                done, status = os.waitpid(child, os.WNOHANG)
                if not done:
                    continue
                if who == "actor" and status == 0:
                    return True
                raise RuntimeError(
                    f"the {who} ended by itself with {status}: "
                    + (self._place / f"{who}.log").read_text()[-3000:]
                )
            time.sleep(0.005)
        return False

    def _kill(self, who: str) -> None:
        os.kill(self._pids[who], signal.SIGKILL)
        os.waitpid(self._pids[who], 0)
        self.kills[who] += 1
        if self._options.say:
            sys.stderr.write(f"\r{sum(self.kills.values())} kills ")
            sys.stderr.flush()
        self._start(who)

    def _end(self) -> None:
        for who, child in self._pids.items():
            try:
                os.kill(child, signal.SIGTERM if who == "learner" else signal.SIGINT)
                os.waitpid(child, 0)
            except (ProcessLookupError, ChildProcessError):
                continue
        if self._proxy is not None:
            self._proxy.close()


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def main(arguments: list[str]) -> int:
    """Print the document of a run; 1 if anything is wrong with it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--preset", default="gym:Pendulum-v1")
    parser.add_argument("--set", action="append", default=[], help="a setting, as key=value")
    parser.add_argument("--pause", type=float, nargs=2, default=(0.1, 0.8), help="s between kills")
    parser.add_argument("--settle", type=float, default=SETTLE_S)
    parser.add_argument("--lockstep", action="store_true")
    parser.add_argument("--real", action="store_true", help="the product's learner, with torch")
    parser.add_argument("--plain", action="store_true", help="without certificates")
    parser.add_argument("--faults", action="store_true", help="a bad network between the two")
    parser.add_argument("--say", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    place = Path(tempfile.mkdtemp(prefix="robosac-chaos-"))
    try:
        found = Chaos(place, options).run()
    finally:
        shutil.rmtree(place, ignore_errors=True)
    text = json.dumps(found)
    sys.stdout.write(text + "\n")
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0 if found["clean"] else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
