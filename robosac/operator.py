"""The person beside the robot, asked on the console."""

from __future__ import annotations

import select
import sys
from typing import Final, TextIO

STAND: Final = "Set the robot on its feet at the start line, hold its body"
CLEAR: Final = "See that the fingers are off the valve and that it turns freely, step back"


class ConsoleOperator:
    """Asks a person to set the robot up, and to let it go.

    Args:
        source, sink: where the answer comes from (a real file: it is polled) and the question goes.
        place: what the person is to do first.
    """

    def __init__(
        self, source: TextIO = sys.stdin, sink: TextIO = sys.stderr, place: str = STAND
    ) -> None:
        self._source, self._sink, self._place = source, sink, place
        self._asked = False

    def place(self, seed: int, faults: tuple[str, ...]) -> None:
        """Ask for the robot to be set up, and for a look at its faults; `seed` is for twins.

        Raises:
            EOFError: nobody is there to answer.
        """
        del seed
        self._asked = False
        if faults:
            self._say(
                f"The robot stopped with: {', '.join(faults)}. Find and mend the cause first. "
            )
        self._say(f"{self._place}, and press Enter: ")
        self._answer()

    def released(self) -> bool:
        """True once the person has let go; never blocks, for the robot is holding its stance."""
        if not self._asked:
            self._say("It stands by itself now. Let go, step back, and press Enter: ")
            self._asked = True
        ready, _, _ = select.select([self._source], [], [], 0.0)
        if ready:
            self._answer()
        return bool(ready)

    def _say(self, question: str) -> None:
        self._sink.write(question)
        self._sink.flush()

    def _answer(self) -> None:
        if not self._source.readline():
            raise EOFError("nobody answered: an episode on a robot needs a person on the console")


class ConsoleAttendant(ConsoleOperator):
    """Asks a person only when the robot cannot set itself up."""

    def __init__(
        self, source: TextIO = sys.stdin, sink: TextIO = sys.stderr, place: str = CLEAR
    ) -> None:
        super().__init__(source, sink, place)

    def begin(self, seed: int) -> None:
        """Nothing: the robot does it by itself."""
