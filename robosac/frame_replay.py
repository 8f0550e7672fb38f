"""Replay buffer for pictures: each camera frame is stored once, as uint8.

What a step of an episode ends with is what the next one begins with, so a transition needs one new
frame where it continues the last, and two where it does not. Frames lie in a ring in the order they
came; a transition knows the number of its first frame, and its second is the one behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from robosac.recycled import Recycled
from robosac.replay import Array, Batch, Ring, Take, drawn, require, require_names, require_part

Frames = Mapping[str, Array]
"""An observation: "image" uint8 (height, width, channels) and "state" float32 (n,)."""
STEPS_PER_SPARE_FRAME = 20
"""A full buffer holds `capacity` transitions where episodes have this many steps or more."""
PICTURES_KEPT = 4
"""Arrays of pictures: two of the batch that is learned from, two of the next."""


class FrameReplay:
    """The last `capacity` transitions whose observations are a picture and a vector.

    Memory is reserved at once and touched as it fills. Episodes so short that their extra frames
    do not fit make the buffer forget its oldest transitions early; none ever points to a frame that
    was overwritten. For one thread.
    """

    def __init__(
        self, capacity: int, image_shape: tuple[int, ...], state_dim: int, action_dim: int
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be 1 or more, got {capacity}")
        self.capacity = capacity
        self.added = 0
        """Transitions ever added; the ring's position is `added % capacity`."""
        self._oldest = 0
        """Number of the oldest transition that is still whole."""
        self._seen = 0
        """Frames ever stored."""
        self._room = capacity + capacity // STEPS_PER_SPARE_FRAME + 2
        # np.empty of this size is mapped, not written: the kernel hands out pages on first touch.
        self._frames: dict[str, Array] = {
            "image": np.empty((self._room, *image_shape), np.uint8),
            "state": np.empty((self._room, state_dim), np.float32),
        }
        self._pictures = Recycled(PICTURES_KEPT)
        self._rows: dict[str, Array] = {
            "first_frame": np.empty(capacity, np.int64),
            "action": np.empty((capacity, action_dim), np.float32),
            "reward": np.empty(capacity, np.float32),
            "terminated": np.empty(capacity, np.float32),
        }

    def __len__(self) -> int:
        return self.added - self._oldest

    def ready(self, size: int) -> bool:
        """Whether there is enough to draw batches of `size` from."""
        return len(self) >= size

    @property
    def memory_bytes(self) -> int:
        """Bytes of the filled part."""
        return sum(part.nbytes for part in self._filled().values())

    @property
    def transition_bytes(self) -> int:
        """Bytes of one transition; times `capacity` is what a full buffer takes."""
        total = sum(column.nbytes for column in (self._frames | self._rows).values())
        return -(-total // self.capacity)

    def add(
        self,
        observation: Frames,
        action: Array,
        reward: float,
        next_observation: Frames,
        terminated: bool,
    ) -> None:
        """Store one transition; the oldest make room.

        It continues the last one where its observation equals what that one ended with. The content
        is compared, not the identity: a camera may write each picture into the same array.

        `terminated` is the task's own end. A time limit, a safety stop or a lost link is not: store
        False and the true last observation.

        Raises:
            ValueError: a shape is wrong, a picture is not uint8, or a value is not finite.
        """
        frame = self._checked("observation", observation)
        following = self._checked("next_observation", next_observation)
        require("action", action, self._rows["action"].shape[1:])
        require("reward", reward, ())
        new = [following] if self._ends_with(frame) else [frame, following]
        # Forgotten before it is overwritten and counted after it is written: an interrupt in
        # between leaves nothing but whole transitions.
        self._forget(self.added + 1, self._seen + len(new))
        for each in new:
            for name, column in self._frames.items():
                column[self._seen % self._room] = each[name]
            self._seen += 1
        row = self.added % self.capacity
        self._rows["first_frame"][row] = self._seen - 2
        self._rows["action"][row] = action
        self._rows["reward"][row] = reward
        self._rows["terminated"][row] = terminated
        self.added += 1

    def sample(self, rng: np.random.Generator, size: int) -> Batch[dict[str, Array]]:
        """Draw `size` transitions uniformly with replacement.

        Raises:
            ValueError: the buffer is empty.
        """
        columns = self._frames | self._rows

        def take(name: str, rows: Array) -> Array:
            column = columns[name]
            if name != "image":
                return column.take(rows, axis=0)
            pictures = self._pictures.empty((len(rows), *column.shape[1:]), column.dtype)
            # Rows are always within the column; the default would copy by way of a third array.
            return column.take(rows, axis=0, out=pictures, mode="clip")

        return self.gather(rng, size, take)

    def gather(self, rng: np.random.Generator, size: int, take: Take) -> Batch[Any]:
        """As `sample`, but `take` fetches the rows: from a copy of the columns elsewhere.

        Raises:
            ValueError: the buffer is empty.
        """
        rows = (self._oldest + drawn(rng, size, len(self))) % self.capacity
        first = self._rows["first_frame"].take(rows) % self._room
        second = (first + 1) % self._room
        return Batch(
            observation={name: take(name, first) for name in self._frames},
            action=take("action", rows),
            reward=take("reward", rows),
            next_observation={name: take(name, second) for name in self._frames},
            terminated=take("terminated", rows),
        )

    def rings(self) -> list[Ring]:
        """The columns themselves, not to be written to."""
        return [Ring(self._frames, self._seen), Ring(self._rows, self.added)]

    def state(self) -> dict[str, Array]:
        """The filled part and the position; views, to be written before the next `add`."""
        counts = {"added": self.added, "oldest": self._oldest, "frames": self._seen}
        return self._filled() | {name: np.array(n, np.int64) for name, n in counts.items()}

    def load(self, state: Frames) -> None:
        """Take over what `state()` returned from a buffer of the same shape.

        Raises:
            ValueError: an array is missing, or differs in shape, dtype or capacity; or a transition
                points to a frame that is not there.
        """
        require_names(state, {*self._frames, *self._rows, "added", "oldest", "frames"})
        added, oldest, seen = (int(state[name]) for name in ("added", "oldest", "frames"))
        for columns, count in ((self._frames, seen), (self._rows, added)):
            for name, column in columns.items():
                require_part(name, state[name], column, min(count, len(column)))
        if not max(0, added - self.capacity) <= oldest <= added:
            raise ValueError(f"replay state: oldest transition {oldest} of {added} cannot be")
        firsts = state["first_frame"].take(np.arange(oldest, added) % self.capacity)
        if ((firsts < seen - self._room) | (firsts < 0) | (firsts > seen - 2)).any():
            raise ValueError("replay state: a transition points to a frame that is not there")
        for columns, count in ((self._frames, seen), (self._rows, added)):
            for name, column in columns.items():
                column[: min(count, len(column))] = state[name]
        self.added, self._oldest, self._seen = added, oldest, seen

    def _checked(self, which: str, observation: Frames) -> Frames:
        """The observation as it will be stored, so that equal means stored as equal."""
        require_names(observation, set(self._frames))
        checked: dict[str, Array] = {}
        for name, column in self._frames.items():
            value = np.asarray(observation[name])
            require(f"{which} {name}", value, column.shape[1:])
            # A picture of floats from 0 to 1 would be stored as all black without a word.
            if name == "image" and value.dtype != np.uint8:
                raise ValueError(f"{which} image is {value.dtype}; expected uint8, 0 to 255")
            checked[name] = value.astype(column.dtype, copy=False)
        return checked

    def _ends_with(self, frame: Frames) -> bool:
        """Whether the newest frame equals this one."""
        newest = (self._seen - 1) % self._room
        return self._seen > 0 and all(
            np.array_equal(column[newest], frame[name]) for name, column in self._frames.items()
        )

    def _forget(self, added: int, seen: int) -> None:
        """Drop what will be overwritten by the time so many transitions and frames were stored."""
        firsts = self._rows["first_frame"]
        while self._oldest < self.added and (
            self._oldest < added - self.capacity
            or firsts[self._oldest % self.capacity] < seen - self._room
        ):
            self._oldest += 1

    def _filled(self) -> dict[str, Array]:
        frames = {name: column[: self._seen] for name, column in self._frames.items()}
        return frames | {name: column[: self.added] for name, column in self._rows.items()}
