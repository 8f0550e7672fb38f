"""A row of moteus controllers that fail one by one on request, and keep a journal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.moteus.registers import BROADCAST_ID, Mode
from sim.firmware.moteus.bank import MoteusBank, MoteusConfig
from sim.firmware.servo_hooks import ReadingFaults

FloatArray = NDArray[np.float64]
CanFrames = list[tuple[int, bytes]]

BOOT_S = 0.3
"""From power to the first answer (assumed: the manual does not tell), s."""
RADIANS_PER_TURN = 2.0 * math.pi
_STOP = bytes([0x01, 0x00, Mode.STOPPED])
_ID_MASK = 0x7F


@dataclass
class _Controller:
    """What is wrong with one controller."""

    readings: ReadingFaults
    silent: bool = False
    boots_until: float = -math.inf
    hold_s: float = 0.0
    garble: np.random.Generator | None = None


class HookedMoteusBank(MoteusBank):
    """Controllers with `ServoHooks`; without a fault in effect they are a `MoteusBank`.

    Attributes:
        time: by the controllers' own clock, s since the start.
        last_frame: when each was last spoken to, s.
        last_position: when each was last in position mode, s; -inf: never.
        last_change: when each, in position mode, was last told another goal, s; -inf: never.
    """

    def __init__(self, ids: Sequence[int], config: MoteusConfig | None = None) -> None:
        super().__init__(ids, config)
        self.ids = tuple(ids)
        self.time = 0.0
        self.last_frame = dict.fromkeys(ids, -math.inf)
        self.last_position = dict.fromkeys(ids, -math.inf)
        self.last_change = dict.fromkeys(ids, -math.inf)
        self._goals = dict.fromkeys(ids, math.nan)
        self._failing = {id: _Controller(ReadingFaults()) for id in ids}
        self._held: list[tuple[float, tuple[int, bytes]]] = []
        self._sag_v = math.inf

    def silence(self, id: int, on: bool) -> None:
        """See `ServoHooks`, here and below."""
        self._failing[id].silent = on

    def freeze(self, id: int, on: bool) -> None:
        self._failing[id].readings.frozen = on

    def jam_encoder(self, id: int, on: bool) -> None:
        self._failing[id].readings.jammed = on

    def heat(self, id: int, temperature_c: float | None) -> None:
        self._failing[id].readings.temperature_c = temperature_c

    def skew(self, id: int, offset_rad: float) -> None:
        self._failing[id].readings.offset = offset_rad / RADIANS_PER_TURN

    def lag(self, id: int, seconds: float) -> None:
        self._failing[id].readings.lag_s = seconds

    def hold(self, id: int, seconds: float) -> None:
        self._failing[id].hold_s = seconds

    def garble(self, id: int, rng: np.random.Generator | None) -> None:
        self._failing[id].garble = rng

    def reboot(self, id: int) -> None:
        # Writing mode 0 resets every command register and latch; what else was not stored follows.
        super().handle_frame(id, _STOP)
        index = self._index[id]
        self._servos.configure(index, self._stored[index])
        self._offset[index] = 0.0
        self._failing[id].boots_until = self.time + BOOT_S
        self._servos.awake_since[index] = self._servos.time

    def sag(self, volts: float | None) -> None:
        self._sag_v = math.inf if volts is None else volts

    def control(
        self, position_rev: FloatArray, velocity_rev_s: FloatArray, supply_v: float, dt: float
    ) -> FloatArray:
        """See `MoteusBank`."""
        self.time += dt
        voltage = super().control(position_rev, velocity_rev_s, min(supply_v, self._sag_v), dt)
        for id in self.following:
            self.last_position[id] = self.time
        return voltage

    def sense(
        self,
        position_rev: FloatArray,
        velocity_rev_s: FloatArray,
        torque_nm: FloatArray,
        power_w: FloatArray,
        temperature_c: FloatArray,
        supply_v: float,
    ) -> None:
        """See `MoteusBank`."""
        rows = [position_rev, velocity_rev_s, torque_nm, power_w, temperature_c]
        faults = [self._failing[id].readings for id in self.ids]
        if not all(fault.none for fault in faults):
            columns = zip(faults, *(row.tolist() for row in rows), strict=True)
            told = [fault.read(self.time, tuple(true)) for fault, *true in columns]
            rows = list(np.array(told).T)
        position_rev, velocity_rev_s, torque_nm, power_w, temperature_c = rows
        super().sense(
            *(position_rev, velocity_rev_s, torque_nm),
            *(power_w, temperature_c, min(supply_v, self._sag_v)),
        )

    def handle_frame(self, arbitration_id: int, data: bytes) -> CanFrames:
        """See `MoteusBank`; answers that are held back come out of `late_frames`."""
        destination = arbitration_id & _ID_MASK
        hearing = self.ids if destination == BROADCAST_ID else (destination,)
        replies: CanFrames = []
        for id in hearing:
            if id in self._failing and self._hears(id):
                self.last_frame[id] = self.time
                frame_id = arbitration_id & ~_ID_MASK | id
                replies += self._answers(id, super().handle_frame(frame_id, data))
                self._note_goal(id)
        return replies

    def _note_goal(self, id: int) -> None:
        index = self._index[id]
        goal = self._servos.set_point(index).position
        if self._servos.mode[index] == Mode.POSITION and goal != self._goals[id]:
            self._goals[id], self.last_change[id] = goal, self.time

    def late_frames(self) -> CanFrames:
        """The answers that were held back until now."""
        due = [frame for time, frame in self._held if time <= self.time]
        self._held = [item for item in self._held if item[0] > self.time]
        return due

    def _hears(self, id: int) -> bool:
        failing = self._failing[id]
        return not failing.silent and self.time >= failing.boots_until

    def _answers(self, id: int, frames: CanFrames) -> CanFrames:
        """What of a controller's answers goes out now, and how it looks."""
        failing = self._failing[id]
        if failing.garble is not None:
            frames = [(sender, failing.garble.bytes(len(data))) for sender, data in frames]
        if not failing.hold_s:
            return frames
        self._held += [(self.time + failing.hold_s, frame) for frame in frames]
        return []
