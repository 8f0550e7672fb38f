"""What every row of motors on one wire offers, whatever its protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from drivers.statistics import BusStatistics

Command_contra = TypeVar("Command_contra", contravariant=True)
Readings_co = TypeVar("Readings_co", covariant=True, bound="Readings")
Info_co = TypeVar("Info_co", covariant=True)


class Readings(Protocol):
    """What a row of motors last said; every array has shape (n,)."""

    @property
    def time(self) -> NDArray[np.float64]:
        """When each motor's values arrived, s on the bus's clock; -inf: never."""
        ...

    @property
    def valid(self) -> NDArray[np.bool_]:
        """True where the motor answered in this exchange; elsewhere the values are old."""
        ...


class MotorBus(Protocol[Command_contra, Readings_co, Info_co]):
    """The one owner of a wire with motors on it.

    Only `exchange` and `last_readings` may be called in the control tick. Everything but
    `last_readings`, `statistics` and `close` raises WireClosed when the port is gone.
    """

    @property
    def ids(self) -> tuple[int, ...]:
        """The motors' ids, in the order of every array."""
        ...

    @property
    def statistics(self) -> BusStatistics:
        """A snapshot of the counters."""
        ...

    def exchange(self, command: Command_contra, deadline: float) -> Readings_co:
        """Command every motor and collect what they say until `deadline` (s); no retries.

        A lost, damaged or implausible reply never raises: that motor is then not valid.
        """
        ...

    def last_readings(self) -> Readings_co:
        """What is known without asking: every value old, none valid."""
        ...

    def stop_all(self, attempts: int) -> list[int]:
        """Switch torque off until every motor was read back without; the ids that were not."""
        ...

    def probe(self, attempts: int = 3) -> Mapping[int, Info_co]:
        """Ask every motor who it is; those that do not answer are left out."""
        ...

    def reopen(self) -> None:
        """Open the wire anew after it was gone; the motors must be configured afresh.

        Raises:
            WireClosed: it is not back.
        """
        ...

    def close(self) -> None:
        """Release the wire; safe to call twice."""
        ...
