"""Whatever may happen to a line of servos, at random and repeatable; ticks of a host above all."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np

from drivers.dynamixel.constants import HardwareError
from sim.firmware.dynamixel.hooks import DynamixelHooks
from tests.sim.dynamixel_bench import (
    BACKUP,
    CLEAR,
    CURRENT,
    CURRENT_POSITION,
    EVERYBODY,
    EXTENDED,
    POSITION,
    PWM,
    READ,
    REBOOT,
    SYNC_READ,
    SYNC_WRITE,
    TABLE,
    VELOCITY,
    WRITE,
    Bench,
    instruction,
    span,
)

Event = Callable[[Bench, DynamixelHooks], bytes]
"""What happens to a bench, and the bytes that its host hears."""

WINDOWS = ((126, 10), (124, 12), (120, 16), (120, 27), (116, 31), (132, 4), (64, 2), (98, 1))
ODD_WINDOWS = ((0, 0), (13, 2), (140, 40), (168, 12), (224, 4), (30, 60), (600, 4))
SETTINGS = {
    "profile_velocity": (0, 40, 200),
    "profile_acceleration": (0, 10),
    "feedforward_1st_gain": (0, 300),
    "feedforward_2nd_gain": (0, 300),
    "position_p_gain": (400, 900),
    "position_i_gain": (0, 300),
    "goal_pwm": (300, 885, 2000),
    "goal_current": (-40, 0, 90, 5000),
    "goal_velocity": (-60, 30),
    "goal_position": (0, 1800, 5000, -300),
    "status_return_level": (0, 1, 2),
    "bus_watchdog": (0, 1, 2),
    "indirect_address_1": (116, 132),
    "torque_enable": (0, 1),
}
LOCKED = {
    "operating_mode": (CURRENT, VELOCITY, POSITION, EXTENDED, CURRENT_POSITION, PWM),
    "drive_mode": (0, 1, 4, 8),
    "homing_offset": (0, 500, -2000),
    "current_limit": (50, 300),
    "max_position_limit": (2500, 4095),
    "moving_threshold": (0, 10, 300),
    "return_delay_time": (0, 250),
    "secondary_id": (255, 7, 11),
}
"""Of the EEPROM area, written with torque off."""
USUAL = {
    "bus_watchdog": 0,
    "torque_enable": 0,
    "status_return_level": 2,
    "operating_mode": CURRENT_POSITION,
    "drive_mode": 0,
    "profile_velocity": 0,
    "profile_acceleration": 0,
    "feedforward_1st_gain": 0,
    "feedforward_2nd_gain": 0,
    "position_p_gain": 800,
    "goal_current": 100,
}


class Traffic:
    """Events for servos with `ids`, the same for the same `seed`."""

    def __init__(self, ids: Sequence[int], seed: int) -> None:
        self.ids = tuple(ids)
        self._random = random.Random(seed)
        self._most = [80] * len(ids)

    def next(self) -> Event:
        kinds = (self._tick, self._group, self._setting, self._fault, self._rarity, self._usual)
        return self._random.choices(kinds, (60, 12, 8, 5, 6, 9))[0]()

    def _tick(self) -> Event:
        """What a driver sends; now and then it arrives damaged."""
        pick = self._random
        if pick.random() < 0.4:
            self._most = [pick.randrange(200) for _ in self.ids]
        goals = [pick.randrange(1200, 2900) for _ in self.ids]
        data = _writes("goal_current", self.ids, self._most)
        data += _writes("goal_position", self.ids, goals)
        data += _reads(self.ids, *pick.choice(WINDOWS[:4]))
        if pick.random() < 0.3:
            data += instruction(pick.choice(self.ids), READ, span(*pick.choice(WINDOWS)))
        if pick.random() < 0.04:
            at = pick.randrange(len(data))
            data = data[:at] + bytes((data[at] ^ 1 << pick.randrange(8),)) + data[at + 1 :]
        return _say(data, pick.randrange(1, 12) * 1e-3)

    def _group(self) -> Event:
        """Group instructions for fewer servos, in another order, with values out of range."""
        pick = self._random
        ids = pick.sample(self.ids, pick.choice((len(self.ids), len(self.ids) - 1, 1)))
        if pick.random() < 0.3:
            ids[-1] = pick.choice((ids[0], 99, 7))
        if pick.random() < 0.5:
            return _say(_reads(ids, *pick.choice(WINDOWS + ODD_WINDOWS)), 1e-3)
        name = pick.choice(("goal_current", "goal_position", "torque_enable", "profile_velocity"))
        most = {"goal_current": 1500, "goal_position": 6000}.get(name, 1)
        ids = pick.choice((self.ids, ids))
        values = [pick.randrange(-most if most > 1 else 0, most + 1) for _ in ids]
        return _say(_writes(name, ids, values), 1e-3)

    def _setting(self) -> Event:
        pick = self._random
        id = pick.choice((*self.ids, EVERYBODY))
        if pick.random() < 0.5:
            name = pick.choice(tuple(SETTINGS))
            return _say(_write(id, name, pick.choice(SETTINGS[name])), 2e-3)
        name = pick.choice(tuple(LOCKED))
        data = _write(id, "torque_enable", 0) + _write(id, name, pick.choice(LOCKED[name]))
        return _say(data + _write(id, "torque_enable", 1), 2e-3)

    def _usual(self) -> Event:
        """Bring everything back to what ticks expect, most often with torque on."""
        pick = self._random
        torque = [int(pick.random() < 0.8) for _ in self.ids]

        def restore(bench: Bench, hooks: DynamixelHooks) -> bytes:
            for servo, id in zip(bench.line.servos, self.ids, strict=True):
                hooks.silence(id, False)
                hooks.freeze(id, False)
                hooks.skew(id, 0.0)
                hooks.lag(id, 0.0)
                hooks.hold(id, 0.0)
                hooks.garble(id, None)
                servo.memory["id"] = id
            hooks.sag(None)
            bench.joints.load_nm[:] = 0.0
            data = b"".join(_write(id, *row) for row in USUAL.items() for id in self.ids)
            return _say(data + _writes("torque_enable", self.ids, torque), 1e-3)(bench, hooks)

        return restore

    def _fault(self) -> Event:
        pick = self._random
        id, seed, kind = pick.choice(self.ids), pick.randrange(1 << 16), pick.randrange(10)
        error = pick.choice((HardwareError.OVERHEATING, HardwareError.OVERLOAD))

        def happen(bench: Bench, hooks: DynamixelHooks) -> bytes:
            match kind:
                case 0:
                    hooks.silence(id, True)
                case 1:
                    hooks.freeze(id, True)
                case 2:
                    hooks.skew(id, 0.3)
                case 3:
                    hooks.lag(id, 0.01)
                case 4:
                    hooks.hold(id, 0.003)
                case 5:
                    hooks.garble(id, np.random.default_rng(seed))
                case 6:
                    hooks.reboot(id)
                case 7:
                    hooks.sag(9.0)
                case 8:
                    bench.joints.load_nm[self.ids.index(id)] = 0.5
                case _:
                    bench.line.servos[self.ids.index(id)].health.inject(error)
            return b""

        return happen

    def _rarity(self) -> Event:
        pick = self._random
        id, other = pick.sample(self.ids, 2)
        packets = (
            instruction(id, CLEAR, b"\x01\x44\x58\x4c\x22"),
            instruction(id, BACKUP, b"\x01\x43\x54\x52\x4c"),
            instruction(id, BACKUP, b"\x02\x43\x54\x52\x4c"),
            instruction(id, REBOOT),
            _write(id, "torque_enable", 0) + _write(id, "id", other),
            b"\xff\xff\xfd",
        )
        return _say(pick.choice(packets), pick.choice((1e-3, 0.06, 0.51)))


def _say(data: bytes, seconds: float) -> Event:
    """Say `data`, and hear what comes at once and within `seconds`."""

    def say(bench: Bench, _: DynamixelHooks) -> bytes:
        heard = bench.say(data)
        bench.run(seconds)
        return heard + bench.line.transmit()

    return say


def _write(id: int, name: str, value: int) -> bytes:
    register = TABLE[name]
    data = value.to_bytes(register.size, "little", signed=value < 0)
    return instruction(id, WRITE, register.address.to_bytes(2, "little") + data)


def _writes(name: str, ids: Sequence[int], values: Sequence[int]) -> bytes:
    register = TABLE[name]
    body = b"".join(
        bytes((id,)) + value.to_bytes(register.size, "little", signed=value < 0)
        for id, value in zip(ids, values, strict=True)
    )
    return instruction(EVERYBODY, SYNC_WRITE, span(register.address, register.size) + body)


def _reads(ids: Sequence[int], address: int, length: int) -> bytes:
    return instruction(EVERYBODY, SYNC_READ, span(address, length) + bytes(ids))
