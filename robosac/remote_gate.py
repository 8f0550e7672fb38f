"""The e-stop gate of a robot whose executor runs in another process."""

from __future__ import annotations

from collections.abc import Callable

from robosac.channel import Channel
from robosac.estop import EStopGate


class RemoteGate(EStopGate):
    """Trips the executor's gate through one byte of shared memory, and knows when that is tripped.

    Args:
        channel: to the executor.
        reset_there: opens the executor's own gate; raises what went wrong.
    """

    def __init__(self, channel: Channel, reset_there: Callable[[], None]) -> None:
        super().__init__()
        self._channel: Channel | None = channel
        self._reset_there = reset_there

    @property
    def tripped(self) -> bool:
        """True from the first trip, here or there, until `reset`."""
        if super().tripped or self._channel is None:
            return super().tripped
        beat = self._channel.beat()
        return beat is not None and beat.tripped

    def trip(self, reason: str) -> None:
        """Forbid all motion; the executor obeys at its next tick, whatever else it is asked."""
        super().trip(reason)
        if self._channel is not None:
            self._channel.put_trip(self.reason)

    def reset(self) -> None:
        """Open both gates; by itself this moves nothing.

        Raises:
            RobotError: the executor's process does not answer; the gate stays tripped.
        """
        if self._channel is not None:
            self._channel.take_back_trip()
            self._reset_there()
        super().reset()

    def detach(self) -> None:
        """The executor's process is gone; only this side is left."""
        self._channel = None
