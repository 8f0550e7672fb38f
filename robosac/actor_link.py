"""Puts an actor's end together: its store, its shelf of policies, the link, its own learner."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from robosac.errors import RunFolderError
from robosac.learner_child import COMMAND, LearnerChild
from robosac.link.addresses import Address
from robosac.link.backoff import Backoff, BackoffSettings
from robosac.link.client import LinkClient
from robosac.link.key_folder import KeyFolder
from robosac.messages import VERSION, Hello
from robosac.observation import Spaces
from robosac.policy_shelf import PolicyShelf
from robosac.runs import RunFolder
from robosac.schema import schema_of
from robosac.store.limits import StoreLimits
from robosac.store.outbox import Outbox
from robosac.store.writer import StoreThread
from robosac.stored_link import StoredLink
from robosac.uplink import Uplink

OWN_ACTOR: Final = "actor"
"""Name of the actor whose learner is its own."""
OUTBOX, POLICIES, LEARNER = "outbox.sqlite", "policies", "learner"
"""In an actor's run folder: its transitions, its policies, and the run of a learner of its own."""
RECONNECT: Final = BackoffSettings(first_s=0.05, longest_s=2.0)


def open_link(
    run: RunFolder,
    spaces: Spaces,
    actor_id: str,
    address: Address,
    keys: KeyFolder | None,
    child: LearnerChild | None = None,
) -> StoredLink:
    """An actor's link to a learner, not yet connected.

    Raises:
        ConfigError: the address needs keys, or the keys are not fit.
        StoreError: the outbox cannot be opened.
    """
    config = run.config
    schema = schema_of(config, spaces)
    shelf = PolicyShelf(run.path / POLICIES, schema)
    client = LinkClient(address, keys, Backoff(RECONNECT, random.Random().random))
    limits = StoreLimits(most_kept_bytes=config.learner_process.buffer_mb * 1_000_000)
    path = run.path / OUTBOX
    store = StoreThread(lambda: Outbox(path), limits)
    hello = Hello(version=VERSION, actor_id=actor_id, stream=store.stream_id, schema=schema)
    uplink = Uplink(store, shelf, hello, client)
    kept = shelf.kept()
    return StoredLink(
        store,
        uplink,
        actor_id,
        store.stream_id,
        kept,
        schema,
        config.sac.updates_per_step,
        child,
        shelf.passed_over,
    )


class OwnLearner:
    """An actor's link to a learner that it starts itself, over a socket nobody else can reach.

    Args:
        run: the actor's run; the learner's is made in it.
        spaces: what the environment shows and takes.
        command: the learner's program.
    """

    def __init__(self, run: RunFolder, spaces: Spaces, command: Sequence[str] = COMMAND) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="robosac-"))
        try:
            socket = self._folder / "link"
            self.child = LearnerChild(learner_run(run).path, socket, command)
            address = Address("", 0, str(socket))
            self.link = open_link(run, spaces, OWN_ACTOR, address, None, self.child)
        except BaseException:
            shutil.rmtree(self._folder)
            raise

    def close(self) -> None:
        """Take leave of the learner, write what is left, end it. Raises StoreError."""
        try:
            self.link.close()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)


def learner_run(run: RunFolder) -> RunFolder:
    """The run of the learner that belongs to an actor's run on the same machine; made if need be.

    Raises:
        RunFolderError: the run was made by a version that kept its transitions elsewhere.
    """
    path = run.path / LEARNER
    if path.exists():
        return RunFolder.open(path)
    if any(run.checkpoints.iterdir()):
        raise RunFolderError(
            f"{run.path} was trained in two processes by a version without a store; this one cannot"
            " go on with it: begin a new run"
        )
    return RunFolder.create(path, run.config, run.created)
