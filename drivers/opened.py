"""Devices that are opened by `open()` and are context managers by it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Opened(ABC):
    """A device that a `with` block opens, and closes whatever happens in it."""

    @abstractmethod
    def open(self) -> Self:
        """Open it."""

    @abstractmethod
    def close(self) -> None:
        """Release it; safe to call twice."""

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
