"""One owner for each robot: locks on its name and its devices, and a lease with an epoch.

The locks (flock) are free the moment their process has gone. The epoch counts owners, over restarts
too, and lies in shared memory where the owner's every tick looks: when somebody takes the robot
over, commands of the older epoch are the first thing that stops.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import signal
import struct
import time
import urllib.parse
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from robosac.errors import OwnershipError, RobotError
from robosac.estop import NO_DEMAND, Demand, Stop
from robosac.fault_journal import file_name, utc_label
from robosac.files import sync_folder
from robosac.owner import MotorPort, Owner, Places, kill, read_owner, this_process, who, write_owner
from robosac.stop_socket import ask

LEASES: Final = ".leases.jsonl"
_EPOCH: Final = struct.Struct("<Q")
TRIP_WAIT_S: Final = 1.0
"""How long an owner may take to switch torque off when its robot is taken over, s."""
END_WAIT_S: Final = 3.0
"""How long it may then take to end in good order, and to go when killed, s."""


class LeaseLine(msgspec.Struct, frozen=True):
    """A line of the lease log: somebody became the owner."""

    epoch: int
    owner: str
    how: str
    """free, or take-over from whom."""
    wall: str


class Lease:
    """An epoch in shared memory; as a guard of the gate it objects once there is a newer one.

    Args:
        path: file of eight bytes, made when missing.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(handle).st_size < _EPOCH.size:
                os.ftruncate(handle, _EPOCH.size)
            self._map = mmap.mmap(handle, _EPOCH.size)
        finally:
            os.close(handle)
        self.epoch = self.newest

    @property
    def newest(self) -> int:
        """The epoch of whoever took the robot last."""
        return _EPOCH.unpack_from(self._map)[0]

    def begin(self, epoch: int) -> None:
        """Make `epoch` the present one; every older lease is lost from now on."""
        self.epoch = epoch
        _EPOCH.pack_into(self._map, 0, epoch)

    def close(self) -> None:
        """Give it back; from then on it objects to every motion. Safe to call twice."""
        self._map.close()

    def demand(self) -> Demand:
        """See `robosac.estop.Guard`."""
        if self._map.closed:
            return Demand(Stop.CUT, f"lease of epoch {self.epoch} was given back")
        newest = self.newest
        if newest == self.epoch:
            return NO_DEMAND
        return Demand(
            Stop.CUT, f"lease lost: epoch {self.epoch} is old, the robot was taken at {newest}"
        )


@dataclass(frozen=True)
class Claim:
    """What somebody wants to own."""

    robot: str
    motors: MotorPort
    devices: tuple[str, ...]
    """Paths of all its ports, the motors' among them."""
    robot_file: str | None = None


class Ownership:
    """A robot that is ours until `release`; see `take`."""

    def __init__(
        self, places: Places, owner: Owner, lease: Lease, locks: ExitStack, unconfirmed: bool
    ) -> None:
        self.places, self.owner, self.lease, self._locks = places, owner, lease, locks
        self.unconfirmed = unconfirmed
        """The owner before us did not say that torque is off."""

    def release(self, torque_off: bool) -> None:
        """Give the robot back; the record stays where it is not known that torque is off."""
        if torque_off:
            self.places.record.unlink(missing_ok=True)
        self.lease.close()
        self._locks.close()


def take(claim: Claim, run_folder: Path, state_folder: Path, take_over: bool = False) -> Ownership:
    """Become the one owner of a robot.

    Args:
        claim: which robot, and its ports.
        run_folder: where locks and the record go; see `robosac.run_folder`.
        state_folder: where the log of leases goes.
        take_over: stop and end the present owner, if there is one. The log says so.

    Raises:
        OwnershipError: somebody else owns it, and with `take_over` does not go; names the owner.
        RobotError: a folder or file cannot be used.
    """
    places = Places(run_folder, claim.robot)
    with ExitStack() as opened:
        try:
            lease = Lease(places.epoch)
            opened.callback(lease.close)
            log = _LeaseLog(state_folder / (file_name(claim.robot) + LEASES))
            how = "free"
            try:
                locks = opened.push(_all_locked(claim, places))
            except _Busy as busy:
                if not take_over:
                    raise OwnershipError(
                        f"robot {claim.robot!r} is owned: {busy}; stop that, or --take-over"
                    ) from None
                how = f"take-over from {busy}"
                lease.begin(max(lease.newest, log.newest()) + 1)
                for holder in busy.holders:
                    _evict(holder)
                locks = opened.push(_all_locked(claim, places))
            epoch = max(lease.newest, log.newest()) + 1
            owner = this_process(claim.robot, epoch, claim.motors, claim.robot_file)
            log.add(LeaseLine(epoch, str(owner), how, utc_label()))
            lease.begin(epoch)
            unconfirmed = places.record.exists()
            write_owner(places, owner)
            opened.pop_all()
        except _Busy as busy:
            raise OwnershipError(f"robot {claim.robot!r} is still owned: {busy}") from None
        except OSError as error:
            raise RobotError(f"robot {claim.robot!r} cannot be owned: {error}") from error
        return Ownership(places, owner, lease, locks, unconfirmed)


@dataclass(frozen=True)
class _Holder:
    """Who holds a lock, as far as is known."""

    what: str
    owner: Owner | None
    places: Places | None

    def __str__(self) -> str:
        return f"{self.what} by {self.owner or 'an unknown process'}"


class _Busy(Exception):
    """Locks that somebody else holds."""

    def __init__(self, holders: Sequence[_Holder]) -> None:
        self.holders = tuple(holders)
        super().__init__("; ".join(dict.fromkeys(str(holder) for holder in holders)))


def _all_locked(claim: Claim, places: Places) -> ExitStack:
    """Hold the lock of the name and of every device, or none. Raises _Busy."""
    with ExitStack() as held:
        busy: list[_Holder] = []
        names = {places.lock: "its name"}
        for device in claim.devices:
            # A port has several names; whoever uses another of them must meet the same lock.
            for path in (device, os.path.realpath(device)):
                quoted = urllib.parse.quote(path, safe="")
                names[places.folder / f"device-{quoted}.lock"] = path
        for path, what in names.items():
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            held.callback(os.close, handle)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                busy.append(_holder(places.folder, handle, what))
                continue
            os.ftruncate(handle, 0)
            os.pwrite(handle, file_name(claim.robot).encode(), 0)
        if busy:
            raise _Busy(busy)
        return held.pop_all()


def _holder(folder: Path, lock: int, what: str) -> _Holder:
    """Whose lock that is: it holds the name of the robot whose owner took it."""
    robot = urllib.parse.unquote(os.pread(lock, 1024, 0).decode(errors="replace"))
    places = Places(folder, robot)
    return _Holder(what, read_owner(places.record), places)


def _evict(holder: _Holder) -> None:
    """Have an owner switch torque off, then end it, in order if it can. Raises OwnershipError."""
    owner, places = holder.owner, holder.places
    if owner is None or places is None:
        raise OwnershipError(f"cannot take over {holder}: it left no record to find it by")
    if owner.pid == os.getpid():
        raise OwnershipError(f"cannot take over {holder}: that is this process itself")
    deadline = time.monotonic() + TRIP_WAIT_S
    with contextlib.suppress(OSError, ValueError):
        ask(places.socket, {"do": "trip", "reason": f"taken over by {who()}"}, TRIP_WAIT_S)
        while time.monotonic() < deadline:
            if ask(places.socket, {"do": "status"}, TRIP_WAIT_S)["torque_off"]:
                break
            time.sleep(0.005)
    if not (kill(owner, signal.SIGTERM, END_WAIT_S) or kill(owner, signal.SIGKILL, END_WAIT_S)):
        raise OwnershipError(f"cannot take over from {owner}: it does not go even when killed")


class _LeaseLog:
    """Who owned the robot when, a line each; the newest epoch survives a restart."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def newest(self) -> int:
        """The highest epoch; a line that cannot be read counts as one. Raises OSError."""
        try:
            lines = [line for line in self._path.read_bytes().split(b"\n") if line]
        except FileNotFoundError:
            return 0
        epochs = [len(lines)]
        for line in lines:
            with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
                epochs.append(msgspec.json.decode(line, type=LeaseLine).epoch)
        return max(epochs)

    def add(self, line: LeaseLine) -> None:
        """Write a line, forced to disk. Raises OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        handle = os.open(self._path, flags, 0o600)
        try:
            # The empty line keeps a torn one before it from swallowing this.
            os.write(handle, b"\n" + msgspec.json.encode(line) + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)
        sync_folder(self._path.parent)
