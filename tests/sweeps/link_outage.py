"""A robot that was alone for hours comes back: how long until the learner has everything?

    python -m tests.sweeps.link_outage --hours 8                  # the quadruped's vectors
    python -m tests.sweeps.link_outage --hours 2 --pixels 84      # the hand's pictures

from the repository's root. The hours are simulated: the transitions go into the outbox as fast as
its disk takes them. Then a learner appears, over TLS, and everything is sent through the product's
own uplink, link, session and inbox. Exit code 1 if a row is lost, doubled or changed.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict
from msgspec.structs import replace

from robosac.config import load_preset
from robosac.learner_board import Board
from robosac.learner_host import Listener
from robosac.link.addresses import parse_address
from robosac.link.backoff import Backoff, BackoffSettings
from robosac.link.client import LinkClient
from robosac.link.key_folder import read_key_folder
from robosac.link.keys import issue, make_authority
from robosac.link.peers import Peer, Role
from robosac.link.server import LinkServer
from robosac.messages import VERSION, Hello, encode, experience_of
from robosac.observation import Observation
from robosac.policy_shelf import PolicyShelf
from robosac.schema import VECTOR, Part, Schema, schema_of
from robosac.store.inbox import Inbox
from robosac.store.inbox_thread import InboxThread
from robosac.store.outbox import Outbox
from robosac.store.writer import StoreThread
from robosac.told_spaces import ToldSpaces
from robosac.transition import Transition
from robosac.uplink import Uplink

STATE_HZ, PIXELS_HZ = 50.0, 10.0
"""Control rates of quadruped and hand."""
OBSERVED, JOINTS = 112, 8
HAND_STATE, HAND_JOINTS = 18, 9
WRITTEN_AT_ONCE = 500
SAID_EVERY = 20_000
"""Transitions."""
AUDITED_AT_ONCE = 1000
EPISODE = 500


def spaces(pixels: int) -> ToldSpaces:
    """Of the quadruped, or of the hand with square pictures of so many pixels a side."""
    joints = HAND_JOINTS if pixels else JOINTS
    acts = Box(-1.0, 1.0, (joints,), np.float32)
    if not pixels:
        return ToldSpaces(Box(-np.inf, np.inf, (OBSERVED,), np.float32), acts)
    parts = {
        "image": Box(0, 255, (pixels, pixels, 3), np.uint8),
        "state": Box(-np.inf, np.inf, (HAND_STATE,), np.float32),
    }
    return ToldSpaces(Dict(parts), acts)


def transitions(count: int, pixels: int, rng: np.random.Generator) -> Iterator[Transition]:
    """So many, with numbers and pictures that do not compress."""

    def seen() -> Observation:
        if not pixels:
            return rng.standard_normal(OBSERVED, np.float32)
        return {
            "image": rng.integers(0, 256, (pixels, pixels, 3), np.uint8),
            "state": rng.standard_normal(HAND_STATE, np.float32),
        }

    before = seen()
    joints = HAND_JOINTS if pixels else JOINTS
    terms = {"forward": 0.5, "energy": -0.1}
    for sequence in range(count):
        after = seen()
        asked = rng.uniform(-1.0, 1.0, joints).astype(np.float32)
        done = rng.uniform(-1.0, 1.0, joints).astype(np.float32)
        yield Transition(
            "robot", sequence // EPISODE, sequence % EPISODE, sequence, 0, before, asked, done, 0,
            0.4, True, terms, after, None, float(sequence), float(sequence) + 0.001,
        )  # fmt: skip
        before = after


def fill(path: Path, count: int, pixels: int, seed: int) -> int:
    """Put the outage's transitions into an outbox; a checksum over all of them, in order."""
    outbox, total, rows = Outbox(path), 0, list[bytes]()
    for transition in transitions(count, pixels, np.random.default_rng(seed)):
        rows.append(encode(experience_of(transition)))
        total = zlib.crc32(rows[-1], total)
        if len(rows) == WRITTEN_AT_ONCE or transition.sequence == count - 1:
            outbox.append(rows)
            rows = []
            if (transition.sequence + 1) % SAID_EVERY == 0:
                say(f"{transition.sequence + 1:,} of {count:,} transitions made")
    outbox.close()
    return total


def catch_up(place: Path, schema: Schema, count: int) -> float:
    """Send everything from the outbox to an inbox in this process over TLS; seconds it took."""
    make_authority(place / "laboratory")
    keys = {
        role: read_key_folder(issue(place / "laboratory", Peer(role, name)))
        for role, name in ((Role.ROBOT, "robot"), (Role.LEARNER, "desk"))
    }
    board = Board(time.monotonic)
    inbox = InboxThread(lambda: Inbox(place / "inbox.sqlite"))
    listener = Listener("outage", False, board, inbox)
    server = LinkServer(parse_address("127.0.0.1:0"), keys[Role.LEARNER], listener)
    server.start()
    store = StoreThread(lambda: Outbox(place / "outbox.sqlite"))
    hello = Hello(version=VERSION, actor_id="robot", stream=store.stream_id, schema=schema)
    backoff = Backoff(BackoffSettings(), random.Random(0).random)
    client = LinkClient(server.address, keys[Role.ROBOT], backoff)
    uplink = Uplink(store, PolicyShelf(place / "policies", schema), hello, client)
    began = time.monotonic()
    uplink.start()
    alive = threading.Event()

    def beat() -> None:
        # What the learner's loop does: without its signs of life the sessions fall silent.
        while not alive.wait(0.2):
            board.tell(board.standing())

    beating = threading.Thread(target=beat, daemon=True)
    beating.start()
    try:
        while uplink.standing.stored < count - 1:
            if uplink.failure is not None:
                raise RuntimeError(uplink.failure)
            time.sleep(0.5)
            say(f"{uplink.standing.stored + 1:,} of {count:,} transitions there")
        return time.monotonic() - began
    finally:
        alive.set()
        beating.join()
        uplink.close()
        store.close()
        server.close()
        inbox.close()


def audit(path: Path, count: int) -> int:
    """A checksum over all that arrived, in order. Raises ValueError: not as many, or doubled."""
    inbox, total, read = Inbox(path), 0, 0
    try:
        if inbox.newest_arrival != count - 1:
            raise ValueError(f"{inbox.newest_arrival + 1} rows arrived, {count} were made")
        while read < count:
            for row in inbox.read(read - 1, AUDITED_AT_ONCE, 64_000_000):
                if row.sequence != read:
                    raise ValueError(f"row {row.sequence} came where {read} belongs")
                total, read = zlib.crc32(row.data, total), read + 1
    finally:
        inbox.close()
    return total


def say(text: str) -> None:
    """On the terminal's line."""
    sys.stderr.write(f"\r{text}      ")
    sys.stderr.flush()


def outage(place: Path, hours: float, pixels: int, seed: int) -> dict[str, Any]:
    """One outage and what came of it."""
    rate = PIXELS_HZ if pixels else STATE_HZ
    count = round(hours * 3600.0 * rate)
    schema = schema_for(spaces(pixels), pixels)
    began = time.monotonic()
    made = fill(place / "outbox.sqlite", count, pixels, seed)
    filled_s = time.monotonic() - began
    size = (place / "outbox.sqlite").stat().st_size
    seconds = catch_up(place, schema, count)
    arrived = audit(place / "inbox.sqlite", count)
    return {
        "hours": hours,
        "pixels": pixels,
        "transitions": count,
        "bytes": size,
        "lost": 0 if arrived == made else count,
        "made_per_s": count / filled_s,
        "seconds": seconds,
        "per_s": count / seconds,
        "times_real_time": hours * 3600.0 / seconds,
    }


def schema_for(told: ToldSpaces, pixels: int) -> Schema:
    """Of those spaces, as of an environment of no known meaning."""
    shown = told.observation_space
    state = shown["state"] if isinstance(shown, Dict) else shown
    plain = schema_of(load_preset("gym:outage", ()), ToldSpaces(state, told.action_space))
    if not pixels:
        return plain
    part = plain.observation[VECTOR]
    side = pixels * pixels * 3
    block = replace(part.blocks[0], name="picture", size=side)
    picture = Part("uint8", (pixels, pixels, 3), (block,))
    return replace(plain, observation={"image": picture, "state": part})


def main(arguments: list[str]) -> int:
    """Print the document of an outage; 1 if anything is wrong with it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--pixels", type=int, default=0, help="side of the pictures; 0: none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    place = Path(tempfile.mkdtemp(prefix="robosac-outage-"))
    try:
        found = outage(place, options.hours, options.pixels, options.seed)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    text = json.dumps(found, indent=1)
    sys.stdout.write(text + "\n")
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    return 1 if found["lost"] else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
