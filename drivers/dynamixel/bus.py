"""A row of Dynamixel servos on one wire: one exchange a tick, and how to switch them all off."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.dynamixel.block import Counts
from drivers.dynamixel.commands import Command, GoalEncoder, GoalLimits, PositionGoal, TorqueOff
from drivers.dynamixel.constants import FAST_READ_FIRMWARE, MAX_ID
from drivers.dynamixel.control_table import TABLES, ControlTable
from drivers.dynamixel.instructions import parse_ping, ping, read, sync_write
from drivers.dynamixel.packet import Status
from drivers.dynamixel.port import IDLE_S, REPLY_TIMEOUT_S, DynamixelPort
from drivers.dynamixel.readings import DynamixelReadings, ReadingStore, never_heard
from drivers.dynamixel.roll_call import RollCall
from drivers.dynamixel.servo_clocks import ServoClocks
from drivers.dynamixel.telemetry import Question, TelemetryRound, Topic
from drivers.dynamixel.torque_switch import TorqueSwitch, watchdog_counts
from drivers.errors import BusTimeout, DeviceError
from drivers.statistics import BusStatistics
from drivers.wire import Wire

FloatArray = NDArray[np.float64]

TELEMETRY_LEFT_S: Final = 0.0018
"""A servo is asked for telemetry only if so much time is left of the tick, s: 60 bytes at 1 Mbit/s
take 0.6 ms, the adapter's latency timer up to 1 ms."""
TELEMETRY_TIME_S: Final = 0.003
"""How long its answer is waited for, s."""

TELEMETRY_EVERY: Final = 2
"""Exchanges from one question to the next: every servo is asked everything within a second or so at
100 Hz."""

_TORQUE_ENABLE: Final = 64


@dataclass(frozen=True, slots=True)
class ServoInfo:
    """Who a servo says it is."""

    model: int
    firmware: int
    name: str


class DynamixelBus:
    """The servos with `ids` on one half-duplex bus.

    `probe` reads their models first; `arming.ServoArming` then configures and engages them.

    Args:
        wire: the port; this bus is its only user.
        ids: 0 to 252, each once; their order is the order of every array.
        now: the clock that the wire's deadlines belong to, monotonic seconds.
        fast: answer a tick in one packet, where every servo's firmware can.
        idle_s: silence after which nothing old can arrive any more, s.

    Raises:
        ValueError: an id that is out of range or listed twice.
    """

    def __init__(
        self,
        wire: Wire,
        ids: Sequence[int],
        now: Callable[[], float],
        fast: bool = False,
        idle_s: float = IDLE_S,
    ) -> None:
        if not ids or len(set(ids)) != len(ids) or not all(0 <= id <= MAX_ID for id in ids):
            raise ValueError(f"ids must be distinct and 0 to {MAX_ID}, got {list(ids)}")
        self.port = DynamixelPort(wire, now, idle_s)
        self._wire, self._ids, self._now, self._fast = wire, tuple(ids), now, fast
        self._index = {id: index for index, id in enumerate(ids)}
        self._known: dict[int, ServoInfo] = {}
        self._tick: _Tick | None = None
        self._telemetry = TelemetryRound(ids)
        self._question: Question | None = None
        self._torque = TorqueSwitch(ids)

    @property
    def ids(self) -> tuple[int, ...]:
        """The servos' ids, in the order of every array."""
        return self._ids

    @property
    def infos(self) -> Mapping[int, ServoInfo]:
        """The servos that have been probed, by id."""
        return MappingProxyType(self._known)

    @property
    def statistics(self) -> BusStatistics:
        """A snapshot of the counters."""
        self.port.count_corrupt()
        return self.port.counters.snapshot()

    def table(self, id: int) -> ControlTable:
        """The control table of a probed servo.

        Raises:
            DeviceError: it has not been probed.
        """
        if id not in self._known:
            raise DeviceError(
                f"servo {id} is unknown: known are {sorted(self._known)}; probe first"
            )
        return TABLES[self._known[id].model]

    def exchange(self, command: Command, deadline: float) -> DynamixelReadings:
        """Command every servo and collect what they say until `deadline` (s); no retries.

        One sync write, one sync read, and every other time, if time is left, a question for one
        servo's telemetry, whose answer the next exchange takes. A lost, damaged or implausible
        reply never raises: that servo is then not valid. While the line is in disorder the command
        is sent all the same, but nothing is asked.

        Torque that `PositionGoal.hold` wants switched is a sync write more, with watchdogs armed
        behind it, in each exchange until the servos say that they are as wanted; until then a
        question is put every time (`drivers.dynamixel.torque_switch`).

        Raises:
            ValueError: the command has the wrong shape, is not finite, or a servo would refuse it.
            DeviceError: the servos have not been probed.
            WireClosed: the port is gone.
        """
        tick = self._tick
        if tick is None or len(self._known) < len(self._ids):
            raise DeviceError(f"known are only {sorted(self._known)} of {self._ids}; probe first")
        packet = tick.goals.encode(command)
        started = self._now()
        trusted = self.port.settle(deadline)
        self._take_telemetry(tick)
        # Behind the answers: what is told from now on is asked about only after it.
        packet += self._switch(command)
        if trusted:
            self._wire.write(packet + tick.roll.begin(self._now()))
            valid = self._listen(tick, deadline)
        else:
            if packet:
                self._wire.write(packet)
            self.port.counters.lost += len(self._ids)
            valid = np.zeros(len(self._ids), dtype=np.bool_)
            self._ask_for_telemetry(tick, deadline)
        self.port.counters.exchanged(self._now() - started)
        return self._collect(tick, valid)

    def last_readings(self) -> DynamixelReadings:
        """What is known without asking: every value old, none valid."""
        if self._tick is None:
            return never_heard(len(self._ids), self._telemetry.collect())
        valid = np.zeros(len(self._ids), dtype=np.bool_)
        return self._collect(self._tick, valid)

    def probe(self, attempts: int = 3) -> dict[int, ServoInfo]:
        """Ask every servo for model and firmware; those that do not answer are left out.

        Raises:
            DeviceError: a model that is not known here. WireClosed: the port is gone.
        """
        found: dict[int, ServoInfo] = {}
        for id in self._ids:
            try:
                reply = parse_ping(self.port.request(ping(id), id, 3, attempts))
            except BusTimeout:
                continue
            if reply.model not in TABLES:
                known = {number: table.name for number, table in TABLES.items()}
                raise DeviceError(f"servo {id} is model {reply.model}; known are {known}")
            found[id] = ServoInfo(reply.model, reply.firmware, TABLES[reply.model].name)
        if any(self._known.get(id) != info for id, info in found.items()):
            self._known |= found
            if len(self._known) == len(self._ids):
                self._tick = self._make_tick()
        return found

    def limit_goals(self, limits: Sequence[GoalLimits] | None) -> None:
        """Refuse goals that the servos would refuse; None: only what registers cannot hold.

        Raises:
            DeviceError: the servos have not been probed.
        """
        tables = [self.table(id) for id in self._ids]
        if self._tick is not None:
            self._tick.goals = GoalEncoder(self._ids, tables, limits)

    def watch(self, watchdog_s: float) -> None:
        """The bus watchdog of servos that `PositionGoal.hold` switches on, s; it is 0.1 at first.

        Raises:
            ValueError: less than 20 ms or more than 2.54 s.
        """
        self._torque.watchdog = watchdog_counts(watchdog_s)

    def forget(self, id: int) -> None:
        """Servo `id` was set up, switched or restarted: what it said before is no measure."""
        self._torque.forget(self._index[id])
        self._question = None
        if self._tick is not None:
            self._tick.store.forget(self._index[id])
            self._tick.clocks.forget(self._index[id])

    def stop_all(self, attempts: int) -> list[int]:
        """Switch torque off until every servo was read back without; the ids that were not.

        Raises:
            WireClosed: the port is gone.
        """
        unconfirmed = list(self._ids)
        self._torque.forget()
        self._question = None
        self.port.finish(self._now() + TELEMETRY_TIME_S)
        for _ in range(attempts):
            off = sync_write(_TORQUE_ENABLE, 1, dict.fromkeys(unconfirmed, b"\x00"))
            self._wire.write(off)
            unconfirmed = [id for id in unconfirmed if not self._is_off(id)]
            if not unconfirmed:
                break
        return unconfirmed

    def reopen(self) -> None:
        """Open the wire anew after it was gone; the servos must be probed and configured afresh.

        Raises:
            WireClosed: it is not back.
        """
        self.port.reopen()
        self._known.clear()
        self._telemetry, self._question = TelemetryRound(self._ids), None
        self._torque.forget()

    def close(self) -> None:
        """Release the wire; safe to call twice."""
        self._wire.close()

    def _make_tick(self) -> _Tick:
        tables = [self.table(id) for id in self._ids]
        fast = self._fast and all(
            self._known[id].firmware >= FAST_READ_FIRMWARE for id in self._ids
        )
        return _Tick(
            GoalEncoder(self._ids, tables),
            RollCall(self._ids, fast, self.port.counters),
            ReadingStore(tables),
            ServoClocks(len(tables)),
            fast,
        )

    def _collect(self, tick: _Tick, valid: NDArray[np.bool_]) -> DynamixelReadings:
        torque = self._torque
        switched = torque.holding, torque.free, torque.clinging
        return tick.store.collect(valid, *switched, self._telemetry.collect())

    def _switch(self, command: Command) -> bytes:
        """What switches torque as `command` wants it, beside its goals."""
        if isinstance(command, PositionGoal) and command.hold is not None:
            return self._torque.orders(command.hold)
        if isinstance(command, TorqueOff):
            self._torque.release()
        return b""

    def _listen(self, tick: _Tick, deadline: float) -> NDArray[np.bool_]:
        """Hear the answers and keep them; whose can be trusted."""
        data = self._wire.read(deadline)
        at = self._now()
        counts = tick.roll.take_all(data) if data else None
        if counts is None:
            self._hear(tick, data, deadline)
            valid = self._accept(tick)
            self._ask_for_telemetry(tick, deadline)
            return valid
        # Before anything is made of the answers: the next one comes meanwhile.
        self._ask_for_telemetry(tick, deadline)
        tick.store.alerts[:] = False
        tick.store.errors[:] = 0
        n = len(self._ids)
        return self._keep(tick, counts, np.full(n, at), n)

    def _hear(self, tick: _Tick, data: bytes, deadline: float) -> None:
        """Hear the rest. Leaves the line unsettled unless all answered or it fell silent."""
        roll, until = tick.roll, deadline
        while data:
            at = self._now()
            roll.take(roll.feed_fast(data) if tick.fast else self.port.parse(data), at)
            if roll.complete or at >= deadline:
                break
            until = min(deadline, at + self.port.idle_s) if roll.only_suspects_missing else deadline
            data = self._wire.read(until)
        else:
            if until < deadline:
                return
        if not roll.all_heard:
            self.port.missed()

    def _accept(self, tick: _Tick) -> NDArray[np.bool_]:
        """Keep what was heard; whose can be trusted."""
        counters, n = self.port.counters, len(self._ids)
        values, ticks, times = (np.full(shape, math.nan) for shape in ((3, n), n, n))
        window = tick.roll.window
        for index, answer in enumerate(tick.roll.end()):
            if answer is None:
                counters.lost += 1
                continue
            status, at = answer
            self._note(tick, index, status)
            if status.error:
                counters.refused += 1
                continue
            values[:, index], times[index] = window.counts(status.parameters), at
            ticks[index] = window.tick(status.parameters)
        heard = n - int(np.count_nonzero(np.isnan(times)))
        return self._keep(tick, Counts(values, ticks), times, heard)

    def _keep(
        self, tick: _Tick, counts: Counts, times: FloatArray, heard: int
    ) -> NDArray[np.bool_]:
        """Keep what `heard` servos said, unless it is old or implausible; where it is kept."""
        values, ticks = counts
        counters = self.port.counters
        fresh = tick.clocks.fresh(ticks, tick.roll.asked_at, times, tick.roll.nothing_old)
        if old := heard - int(np.count_nonzero(fresh)):
            counters.late += old
            heard -= old
            tick.roll.doubt()
            self.port.missed()
        valid = tick.store.accept(values, times, fresh, tick.roll.asked_at)
        counters.implausible += heard - int(np.count_nonzero(valid))
        return valid

    def _ask_for_telemetry(self, tick: _Tick, deadline: float) -> None:
        """Ask one servo, if it is time to and there is time for its answer."""
        turn = self.port.counters.exchanges % TELEMETRY_EVERY
        if turn and not (self._telemetry.urgent or self._torque.asking):
            return
        if deadline - self._now() < TELEMETRY_LEFT_S:
            return
        if not (self.port.settled or self.port.settle(deadline)):
            return
        if not self._telemetry.urgent and (wanted := self._torque.next_question()) is not None:
            self._telemetry.hurry(wanted[0], Topic.STATE)
        question = self._telemetry.next()
        if not tick.roll.is_suspect(question.servo):
            id = self._ids[question.servo]
            self.port.ask_and_go(question.packet, id, question.size, TELEMETRY_TIME_S)
            self._question = question

    def _take_telemetry(self, tick: _Tick) -> None:
        """Keep what the servo asked in the last exchange answered."""
        question, answer = self._question, self.port.answer()
        if question is None or answer is None:
            return
        status, asked_at = answer
        if status is None:
            return
        self._note(tick, question.servo, status)
        if status.error:
            self.port.counters.refused += 1
        elif not self._telemetry.take(question, status.parameters, asked_at):
            self.port.counters.implausible += 1
        else:
            told = (Topic.TORQUE, Topic.WATCHDOG)
            for topic in told if question.topic is Topic.STATE else (question.topic,):
                if topic in told:
                    code = self._telemetry.code(question.servo, topic)
                    self._torque.hear(question.servo, topic, code)

    def _note(self, tick: _Tick, index: int, status: Status) -> None:
        """Keep what the error byte says; a new alert is looked into first."""
        if status.alert and not tick.store.alerts[index]:
            self._telemetry.hurry(index, Topic.HARDWARE)
            self._telemetry.hurry(index, Topic.TORQUE)
        tick.store.alerts[index], tick.store.errors[index] = status.alert, status.error

    def _is_off(self, id: int) -> bool:
        # With the led: as long as a telemetry answer about torque, and no other.
        address, size = Topic.TORQUE.value
        deadline = self._now() + REPLY_TIMEOUT_S
        status = self.port.ask(read(id, address, size), id, size, deadline)
        return status is not None and status.parameters[:1] == b"\x00"


@dataclass(slots=True)
class _Tick:
    """What an exchange needs once the models are known."""

    goals: GoalEncoder
    roll: RollCall
    store: ReadingStore
    clocks: ServoClocks
    fast: bool
