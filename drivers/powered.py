"""Whatever ends a program, its motors are off before it goes on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from types import CodeType, FrameType, TracebackType
from typing import Any, Final, Generic, Protocol, TypeVar

from drivers.errors import DeviceError, WireClosed


class Stoppable(Protocol):
    """What of a `drivers.motor_bus.MotorBus` it takes to switch its motors off."""

    @property
    def ids(self) -> tuple[int, ...]: ...

    def stop_all(self, attempts: int) -> list[int]: ...

    def reopen(self) -> None: ...


BusT = TypeVar("BusT", bound=Stoppable)
Handler = Callable[[int, FrameType | None], Any]

STOP_ATTEMPTS: Final = 20
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def powered(bus: BusT, attempts: int = STOP_ATTEMPTS) -> _Powered[BusT]:
    """A block within which the motors of `bus` may be switched on; behind it they are off.

    However it is left (return, exception, KeyboardInterrupt, SystemExit), every motor is switched
    off and read back. Signals with a handler of Python's that come meanwhile wait until that is
    done. The program turns SIGTERM into an exception itself. A signal that came before the block
    was entered is not held back: switch the motors on inside.

    Args:
        bus: any motor bus; the block is given the same.
        attempts: how often each motor is told and asked, at least 1.

    Raises:
        ValueError: less than one attempt.
        DeviceError: motors that were not read back without torque, by their ids; what the block
            itself raised is its cause.
    """
    if attempts < 1:
        raise ValueError(f"at least one attempt is needed, got {attempts}")
    return _Powered(bus, attempts)


class _Powered(Generic[BusT]):
    """The context manager of `powered`."""

    def __init__(self, bus: BusT, attempts: int) -> None:
        self._bus, self._attempts = bus, attempts
        self._before: Mapping[int, Handler] = {}
        self._held: list[int] = []

    def __enter__(self) -> BusT:
        if threading.current_thread() is threading.main_thread():
            handlers = {number: signal.getsignal(number) for number in SIGNALS}
            self._before = {n: handler for n, handler in handlers.items() if callable(handler)}
            try:
                for number in self._before:
                    signal.signal(number, self._on_signal)
            except BaseException:
                self._restore()
                raise
        return self._bus

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            unconfirmed, reason = self._stop()
        finally:
            self._restore()
        if unconfirmed:
            raise DeviceError(
                f"motors {unconfirmed} were not read back without torque in {self._attempts} "
                f"tries: cut their power"
            ) from (error or reason)
        # An interrupt that had to wait; one that ends the program already need not come twice.
        if self._held and not isinstance(error, KeyboardInterrupt):
            self._before[self._held[0]](self._held[0], None)

    def _stop(self) -> tuple[list[int], WireClosed | None]:
        """Who could not be switched off, and why nobody could."""
        try:
            return self._bus.stop_all(self._attempts), None
        except WireClosed:
            pass
        # It may have been a bad contact: without a wire nothing can be said to the motors.
        try:
            self._bus.reopen()
            return self._bus.stop_all(self._attempts), None
        except WireClosed as gone:
            return list(self._bus.ids), gone

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """Hold a signal back while stopping, from the first instruction of `__exit__` on."""
        if _runs(frame, _EXIT):
            self._held.append(number)
        else:
            self._before[number](number, frame)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            # Equal, not identical: every look at a method makes a new object.
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, handler)


_EXIT: Final[CodeType] = vars(_Powered)["__exit__"].__code__


def _runs(frame: FrameType | None, code: CodeType) -> bool:
    """Whether `code` is among the calls that led to `frame`."""
    while frame is not None:
        if frame.f_code is code:
            return True
        frame = frame.f_back
    return False
