"""Where an actor stands after an episode; kept in the transaction of its last transition."""

from __future__ import annotations

import msgspec

from robosac.errors import RunFolderError
from robosac.shapes import Count


class ActorState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Counters of a run, after a whole episode."""

    step: Count = 0
    """Environment steps; also the sequence number of the next transition."""
    before: Count = 0
    """`step` when the episode began, by which it is known what is due after it."""
    episode: Count = 0
    """Number of the next episode."""
    robot_s: float = 0.0
    wall_s: float = 0.0
    falls: Count = 0
    clock_steps: int | None = None
    """Of the twin's virtual clock; None: there is none."""


def state_bytes(state: ActorState) -> bytes:
    """As it is stored."""
    return msgspec.msgpack.encode(state)


def parse_state(data: bytes | None) -> ActorState:
    """What `state_bytes` gave; of a store that is new: the beginning.

    Raises:
        RunFolderError: it is something else.
    """
    if data is None:
        return ActorState()
    try:
        return msgspec.msgpack.decode(data, type=ActorState)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RunFolderError(f"the actor's state cannot be read: {error}") from error
