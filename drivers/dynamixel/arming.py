"""From power to a servo that holds still under a watchdog: configure, engage, reboot."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from drivers.dynamixel.bus import DynamixelBus, ServoInfo
from drivers.dynamixel.constants import (
    BAUD_RATES,
    BROADCAST_ID,
    WATCHDOG_TRIPPED,
    DriveMode,
    HardwareError,
    StartupConfiguration,
)
from drivers.dynamixel.control_table import TABLES, ControlTable
from drivers.dynamixel.instructions import parse_ping, ping, reboot
from drivers.dynamixel.port import REPLY_TIMEOUT_S
from drivers.dynamixel.registers import ServoRegisters
from drivers.dynamixel.setup import (
    POSITION_MODES,
    WATCHDOG_FIRMWARE,
    ServoSetup,
    check,
    eeprom_counts,
    goal_at_rest,
    goal_limits,
    kept_counts,
    ram_counts,
)
from drivers.dynamixel.torque_switch import WATCHDOG_S, watchdog_counts
from drivers.errors import BusTimeout, DeviceError

JUMP_MAX_RAD: Final = 0.035
"""Two degrees: a servo that moves further when torque goes on is let go at once."""
REBOOT_ATTEMPTS: Final = 3
"""A reboot whose acknowledgement is lost is asked for again; it does no harm twice."""
REBOOT_TIMEOUT_S: Final = 2.0
"""How long a servo may stay silent after a reboot, s; not documented, about half a second seen."""
SCAN_S: Final = 0.8
"""Answers to a broadcast ping are spread over 3 ms for each possible id, s."""
STOP_ATTEMPTS: Final = 20


@dataclass(frozen=True, slots=True)
class SetupReport:
    """What was found at a servo while it was configured."""

    info: ServoInfo
    baud: int
    """bit/s, as the servo's register says."""
    changed: Mapping[str, tuple[int, int]]
    """EEPROM registers that were different: counts before and now."""
    warnings: tuple[str, ...]
    """What was dangerous or slow, and has been changed."""


class ServoArming:
    """Configures, engages and reboots the servos of a bus. Never for use in a control tick.

    Every method raises BusTimeout (no answer), DeviceError (a servo refuses, has a hardware error,
    or is not what it must be) and WireClosed (the port is gone).

    Args:
        bus: its servos have been probed.
        setups: what each servo is to be, by id.

    Raises:
        ValueError: a setup is missing, or a model cannot be what is asked.
        DeviceError: a servo has not been probed.
    """

    def __init__(self, bus: DynamixelBus, setups: Mapping[int, ServoSetup]) -> None:
        if set(setups) != set(bus.ids):
            raise ValueError(f"setups are for {sorted(setups)}, the bus has {sorted(bus.ids)}")
        self._bus, self._setups = bus, dict(setups)
        self._registers = ServoRegisters(bus)
        self._configured: set[int] = set()
        for id, setup in setups.items():
            table = bus.table(id)
            check(setup, table)
            eeprom_counts(setup, table, bus.infos[id].firmware)
            ram_counts(setup, table)

    @property
    def registers(self) -> ServoRegisters:
        """The servos' registers by name."""
        return self._registers

    def configure(self) -> dict[int, SetupReport]:
        """Torque off, EEPROM where it differs, RAM; every write read back."""
        reports = {id: self._configure_one(id) for id in self._bus.ids}
        self._limit_goals()
        return reports

    def verify(self, id: int) -> dict[str, tuple[int, int]]:
        """The registers of a configured servo that are not as they must be before it is armed.

        Torque off, no hardware error, mode, gains and profile; the watchdog may still be armed, but
        not have tripped.

        Returns:
            Counts found and wanted, by the register's name.
        """
        wanted = kept_counts(self._setups[id], self._bus.table(id))
        found = {name: self._registers.read_raw(id, name) for name in wanted}
        differing = {name: (found[name], raw) for name, raw in wanted.items() if found[name] != raw}
        if self._registers.read_raw(id, "bus_watchdog") == WATCHDOG_TRIPPED:
            differing["bus_watchdog"] = (WATCHDOG_TRIPPED, 0)
        return differing

    def prepare(self) -> dict[int, SetupReport]:
        """Make every servo ready for `PositionGoal.hold`, torque off, its goal where it stands.

        Those with a hardware error are restarted; those that are not as they must be, or that this
        object has not configured yet, are configured. What was found is told of these alone. An
        exchange must tell anew where the servos stand.
        """
        reports = self.reboot_faulty()
        for id in self._bus.ids:
            if id not in reports and (id not in self._configured or self.verify(id)):
                reports[id] = self._configure_one(id)
            self._bus.forget(id)
            self._rest(id, self._registers.read_raw(id, "present_position"))
        self._limit_goals()
        return reports

    def engage(self, watchdog_s: float = WATCHDOG_S) -> None:
        """Hold every servo where it is, with the bus watchdog armed last.

        The control tick must begin within `watchdog_s` of the return. On any failure, an interrupt
        included, all torque is switched off before the error is passed on.

        Raises:
            ValueError: a watchdog of less than 20 ms or more than 2.54 s.
        """
        watchdog = watchdog_counts(watchdog_s)
        try:
            for id in self._bus.ids:
                self._engage_one(id, watchdog)
        except BaseException:
            self._bus.stop_all(STOP_ATTEMPTS)
            raise

    def reboot(self, id: int, timeout_s: float = REBOOT_TIMEOUT_S) -> SetupReport:
        """Restart one servo, wait until it answers, and configure it again; torque stays off."""
        return self._reboot([id], timeout_s)[id]

    def reboot_faulty(self, timeout_s: float = REBOOT_TIMEOUT_S) -> dict[int, SetupReport]:
        """As `reboot`, for every servo that has a hardware error; nothing else clears one."""
        errors = {id: self._registers.read_raw(id, "hardware_error_status") for id in self._bus.ids}
        return self._reboot([id for id, error in errors.items() if error], timeout_s)

    def round_trip_s(self, id: int, count: int = 20) -> float:
        """The median time of a ping, s; above 4 ms look at the adapter's latency timer."""
        port, durations = self._bus.port, list[float]()
        for _ in range(count):
            started = port.now()
            port.request(ping(id), id, 3)
            durations.append(port.now() - started)
        return statistics.median(durations)

    def _reboot(self, ids: Sequence[int], timeout_s: float) -> dict[int, SetupReport]:
        port = self._bus.port
        for id in ids:
            for _ in range(REBOOT_ATTEMPTS):
                if port.ask(reboot(id), id, 0, port.now() + REPLY_TIMEOUT_S) is not None:
                    break
        # They come back at the same time.
        end = port.now() + timeout_s
        for id in ids:
            while port.ask(ping(id), id, 3, port.now() + REPLY_TIMEOUT_S) is None:
                if port.now() >= end:
                    raise BusTimeout(f"servo {id} is silent {timeout_s} s after its reboot")
        return {id: self._configure_one(id) for id in ids}

    def _limit_goals(self) -> None:
        bus = self._bus
        bus.limit_goals([goal_limits(self._setups[id], bus.table(id)) for id in bus.ids])

    def _configure_one(self, id: int) -> SetupReport:
        setup, table, info = self._setups[id], self._bus.table(id), self._bus.infos[id]
        if info.firmware < WATCHDOG_FIRMWARE:
            raise DeviceError(
                f"servo {id} has firmware {info.firmware} without bus watchdog; "
                f"{WATCHDOG_FIRMWARE} or newer is needed"
            )
        self._configured.discard(id)
        self._bus.forget(id)
        registers, warnings = self._registers, list[str]()
        ram = ram_counts(setup, table)
        # Below this level writes are not answered, and at 0 not even reads.
        registers.write_raw(id, "status_return_level", ram["status_return_level"])
        if registers.read_raw(id, "torque_enable"):
            warnings.append("torque was on")
        registers.write_raw(id, "torque_enable", 0)
        if error := registers.read_raw(id, "hardware_error_status"):
            raise DeviceError(f"servo {id} has {HardwareError(error)!r}; reboot it")
        changed: dict[str, tuple[int, int]] = {}
        for name, raw in eeprom_counts(setup, table, info.firmware).items():
            before = registers.read_raw(id, name)
            warnings += _warnings(table, name, before)
            if before != raw:
                registers.write_raw(id, name, raw)
                changed[name] = (before, raw)
        for name, raw in ram.items():
            registers.write_raw(id, name, raw)
        self._configured.add(id)
        baud = BAUD_RATES.get(registers.read_raw(id, "baud_rate"), 0)
        return SetupReport(info, baud, changed, tuple(warnings))

    def _engage_one(self, id: int, watchdog: int) -> None:
        setup, table, registers = self._setups[id], self._bus.table(id), self._registers
        position = table["present_position"]
        before, now = (registers.read_raw(id, position.name) for _ in range(2))
        if abs(position.to_si(now - before)) > JUMP_MAX_RAD:
            raise DeviceError(f"servo {id} moves, from {before} to {now} counts; let it rest")
        goal = self._rest(id, now)
        self._bus.forget(id)
        registers.write_raw(id, "torque_enable", 1)
        if setup.mode in POSITION_MODES:
            moved = registers.read_raw(id, position.name) - goal
            if abs(position.to_si(moved)) > JUMP_MAX_RAD:
                raise DeviceError(f"servo {id} jumped by {moved} counts when torque went on")
        registers.write_raw(id, "bus_watchdog", watchdog)

    def _rest(self, id: int, position: int) -> int:
        """Set the goal with which a servo that stands at `position` (counts) stays there."""
        setup, table = self._setups[id], self._bus.table(id)
        name, goal = goal_at_rest(setup, position, table)
        if setup.mode in POSITION_MODES:
            self._check_start(id, table["present_position"].to_si(goal))
        self._registers.write_raw(id, name, goal)
        return goal

    def _check_start(self, id: int, angle_rad: float) -> None:
        setup = self._setups[id]
        limits = goal_limits(setup, self._bus.table(id))
        for low, high in (
            (setup.start_low_rad, setup.start_high_rad),
            (limits.low, limits.high),
        ):
            if (low is not None and angle_rad < low) or (high is not None and angle_rad > high):
                raise DeviceError(
                    f"servo {id} stands at {angle_rad:.4f} rad; it is engaged only from "
                    f"{low} to {high}"
                )


def scan(bus: DynamixelBus, duration_s: float = SCAN_S) -> dict[int, ServoInfo]:
    """Everyone on the wire, also those that the bus does not list; unknown models by their number.

    Two servos with one id answer at once and spoil each other's answer.

    Raises:
        WireClosed: the port is gone.
    """
    port = bus.port
    end = port.now() + duration_s
    found: dict[int, ServoInfo] = {}
    if not port.settle(end):
        raise BusTimeout("the line does not fall silent; is somebody else sending?")
    port.wire.write(ping(BROADCAST_ID))
    for status in port.statuses(end):
        if len(status.parameters) == 3:
            reply = parse_ping(status)
            name = TABLES[reply.model].name if reply.model in TABLES else f"model {reply.model}"
            found[reply.id] = ServoInfo(reply.model, reply.firmware, name)
    return found


def _warnings(table: ControlTable, name: str, before: int) -> list[str]:
    match name:
        case "return_delay_time" if before:
            return [f"return delay was {table[name].to_si(before) * 1e6:.0f} us, now 0"]
        case "startup_configuration" if before & StartupConfiguration.TORQUE_ON:
            return ["torque went on by itself at power-up (startup configuration), now not"]
        case "drive_mode" if before & DriveMode.TORQUE_ON_BY_GOAL:
            return ["a goal switched torque on by itself (drive mode), now not"]
        case _:
            return []
