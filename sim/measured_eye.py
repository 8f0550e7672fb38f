"""A camera as it was measured on one robot, in a form that a command line can carry."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from sim.delays import Delays
from sim.lens import Lens, PlacedLens


@dataclass(frozen=True, slots=True)
class MeasuredEye:
    """What a served twin's camera takes over; None: that was not measured, and stays as drawn."""

    placed: PlacedLens | None = None
    delays: Delays | None = None
    """From exposure to use, against the readings of the robot's joints."""

    def text(self) -> str:
        """One line of JSON; see `of`."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def of(cls, text: str) -> MeasuredEye:
        """What `text` made.

        Raises:
            ValueError: it is no such text, or its numbers cannot be.
        """
        try:
            document: dict[str, Any] = json.loads(text)
            placed, delays = document["placed"], document["delays"]
            return cls(
                None if placed is None else _placed(placed),
                None if delays is None else Delays(**delays),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"no measured camera: {error!r} in {text!r}") from error


def _placed(document: dict[str, Any]) -> PlacedLens:
    lens = {name: tuple(value) for name, value in document["lens"].items()}
    right, down, forward = map(tuple, document["axes"])
    return PlacedLens(Lens(**lens), (right, down, forward), tuple(document["position_m"]))
