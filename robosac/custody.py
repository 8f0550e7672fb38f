"""What surrounds an executor: its ownership, its fault journal, and everybody who may stop it.

It begins before the ports are opened, and ends once they are closed. In whichever process the
executor runs, there its custody is.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TextIO

from drivers.button.gpio import GpioButton
from drivers.errors import DriverError
from robosac.console_key import StopKey
from robosac.errors import ConfigError, RobotError
from robosac.estop import EStopGate
from robosac.executor import Executor
from robosac.fault_journal import FaultJournal, journal_path, state_folder
from robosac.keepalive import EndpointServer, EndpointWatch, read_key
from robosac.owner import who
from robosac.ownership import Claim, Ownership, take
from robosac.run_folder import run_folder
from robosac.settings import StopSection
from robosac.stop_button import Button, ButtonWatch
from robosac.stop_socket import StopServer


class Custody:
    """A context for building an executor; once attached, it ends with that executor.

    Args:
        robot: its name.
        stop: who may stop it.
        gate: what they trip.
        claim: its ports; None: a twin's, which nobody else can want.
        take_over: stop and end whoever owns it now.

    Raises, on entering:
        OwnershipError: somebody else owns the robot.
        ConfigError: the button, the address or the key of the endpoints cannot be used.
        RobotError: the journal or the run folder cannot be used.
    """

    def __init__(
        self,
        robot: str,
        stop: StopSection,
        gate: EStopGate,
        claim: Claim | None = None,
        take_over: bool = False,
    ) -> None:
        self._robot, self._stop, self._gate = robot, stop, gate
        self._claim, self._take_over = claim, take_over
        self._held = ExitStack()
        self._ownership: Ownership | None = None
        self._executor: Executor | None = None
        self.journal: FaultJournal | None = None
        """For the executor; None: faults end with it."""
        self.console: TextIO = sys.stdin
        """Where the operator answers."""

    def __enter__(self) -> Custody:
        try:
            self._begin()
        except BaseException:
            self._held.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.close()

    def attach(self, executor: Executor) -> None:
        """Let everybody stop `executor`, and end with it.

        Raises:
            RobotError: its socket cannot be made.
        """
        self._executor = executor
        executor.afterwards.push(self._held.pop_all())
        ownership = self._ownership
        if ownership is None:
            return
        socket, epoch = ownership.places.socket, ownership.owner.epoch
        try:
            server = StopServer(socket, self._gate, executor, epoch)
        except OSError as error:
            raise RobotError(f"the stop socket {socket} cannot be made: {error}") from error
        executor.afterwards.callback(server.close)

    def _begin(self) -> None:
        folder = state_folder(self._stop.state_folder)
        if self._claim is not None:
            self._ownership = take(self._claim, run_folder(), folder, self._take_over)
            self._held.callback(self._release)
            self._gate.add(self._ownership.lease)
        if self._stop.fault_journal or (self._stop.fault_journal is None and self._claim):
            self.journal = FaultJournal(journal_path(self._robot, folder), who())
            self._held.callback(self.journal.close)
        if self._claim is None:
            return
        if threading.current_thread() is threading.main_thread():
            self._held.enter_context(self._gate.trip_on_signals((signal.SIGUSR1,)))
        if self._stop.button is not None:
            watch = ButtonWatch(
                open_button(self._stop.button), self._stop.button, self._gate, time.monotonic
            )
            self._held.callback(watch.close)
            self._gate.add(watch.start())
        if self._stop.keepalive.endpoints:
            self._expect_endpoints()
        if self._stop.console_key:
            self.console = self._held.enter_context(StopKey(self._gate)).source

    def _expect_endpoints(self) -> None:
        section = self._stop.keepalive
        host, _, port = section.address.rpartition(":")
        assert section.key is not None
        key, names = read_key(Path(section.key)), section.endpoints
        watch = EndpointWatch(names, key, self._gate, time.monotonic, section.settle_s)
        server = EndpointServer((host, int(port)), watch)
        self._held.callback(server.close)
        self._gate.add(watch)

    def _release(self) -> None:
        assert self._ownership is not None
        if self._executor is None:
            # We never drove it, so what was known of its torque before is what is known now.
            off = not self._ownership.unconfirmed
        else:
            off = self._executor.torque_off_since is not None
        self._ownership.release(off)


def open_button(text: str) -> Button:
    """The button that `stop.button` names. Raises ConfigError: it cannot be used, or is pressed."""
    kind, _, place = text.partition(":")
    try:
        if kind == "gpio":
            chip, _, line = place.rpartition(":")
            return GpioButton(chip, int(line))
        # Only here, for pyserial takes its time.
        from drivers.button.line import LineButton

        return LineButton(place, kind)
    except DriverError as error:
        raise ConfigError(f"stop.button: {error}") from error
