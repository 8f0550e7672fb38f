"""Whoever helps the robot between episodes: a person, or the twin's stand-in."""

from __future__ import annotations

from typing import Protocol


class Operator(Protocol):
    """Sets the robot up by hand."""

    def place(self, seed: int, faults: tuple[str, ...]) -> None:
        """Set the robot up for a new episode: on its feet and held, or its fingers off the valve.

        By returning, the operator also says that the causes of `faults` have been seen to.
        """
        ...

    def released(self) -> bool:
        """True once the body is free; polled while the robot holds its stance, so never blocks."""
        ...


class Attendant(Operator, Protocol):
    """An operator of a robot that sets itself up, and calls only when it cannot."""

    def begin(self, seed: int) -> None:
        """An episode is about to be set up. A person does nothing.

        A twin becomes the robot that some earlier episode, told by `seed`, has left behind: so no
        episode depends on those before, and a resumed run equals the run that was never killed.
        """
        ...
