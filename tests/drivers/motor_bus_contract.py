"""What every MotorBus must do, against its own firmware; subclass it and give a `rig` fixture.

Time is virtual: what takes long here is counted, never waited for.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import pytest
from numpy.typing import NDArray

from drivers.errors import WireClosed
from drivers.motor_bus import MotorBus, Readings
from sim.fault_spec import Kind
from sim.faulty_line import FaultyLine
from sim.firmware.servo_hooks import ServoHooks
from sim.wire import Direction, TwinWire

PERIOD = 0.010
BUDGET = 0.008
MIXED: tuple[Kind, ...] = (
    Kind.DROP,
    Kind.FLIP,
    Kind.TRUNCATE,
    Kind.SPLIT,
    Kind.DUPLICATE,
    Kind.LATE,
)
"""Damage that a checksum can tell; who sends a wrong id with a right check can not be told."""


class BusRig(Protocol):
    """A bus, its firmware behind a faulty line, and shafts that a test can turn."""

    position: NDArray[np.float64]
    """True positions, in the unit of `positions`; a test may set them at any time."""

    @property
    def bus(self) -> MotorBus[Any, Any, Any]: ...

    @property
    def wire(self) -> TwinWire: ...

    @property
    def line(self) -> FaultyLine: ...

    @property
    def hooks(self) -> ServoHooks: ...

    @property
    def chained(self) -> bool:
        """Those behind a motor wait for its answer: one that falls silent hides them for a tick."""
        ...

    def now(self) -> float:
        """The twin's clock, s."""
        ...

    def tick(self) -> Readings:
        """Wait for the next period, then exchange a command to hold where the motors are."""
        ...

    def configure(self) -> None:
        """What the bus needs before its first exchange, and again after it was reopened."""
        ...

    def engage(self) -> None:
        """Switch torque on, by whatever the protocol wants for it."""
        ...

    def positions(self, readings: Any) -> NDArray[np.float64]:
        """What the readings tell of the positions."""
        ...

    def driving(self) -> NDArray[np.bool_]:
        """True where the firmware pushes its motor toward a goal, whatever the bus believes.

        No more once its watchdog has tripped, though that may resist motion.
        """
        ...

    def powered(self) -> NDArray[np.bool_]:
        """True where the firmware can give torque at all, by a goal or by its watchdog."""
        ...


class MotorBusContract:
    """Inherit, and define `rig`.

    Attributes:
        tolerance: how well a position is told.
        mixed: damage that must not pass for truth.
    """

    tolerance = 1e-6
    mixed = MIXED

    def told(self, rig: BusRig, readings: Readings) -> None:
        """What is said to be valid must be the present truth, and of the present."""
        valid = readings.valid
        np.testing.assert_allclose(
            rig.positions(readings)[valid], rig.position[valid], atol=self.tolerance
        )
        assert (readings.time[valid] > rig.now() - PERIOD).all()

    def test_arrays_are_in_the_order_of_the_ids(self, rig: BusRig) -> None:
        readings = rig.tick()
        assert readings.valid.shape == readings.time.shape == (len(rig.bus.ids),)
        assert readings.valid.all()
        assert rig.hooks.ids == rig.bus.ids
        self.told(rig, readings)

    def test_everybody_says_who_he_is(self, rig: BusRig) -> None:
        rig.hooks.silence(rig.bus.ids[1], True)
        assert set(rig.bus.probe()) == set(rig.bus.ids) - {rig.bus.ids[1]}

    def test_one_dead_motor_leaves_its_neighbours_live(self, rig: BusRig) -> None:
        rig.tick()
        before = rig.tick()
        rig.hooks.silence(rig.bus.ids[1], True)
        rig.position = rig.position + 0.001
        for number in range(3):
            readings = rig.tick()
            assert not readings.valid[1]
            assert readings.time[1] == before.time[1], "an old value keeps its old time"
            assert rig.positions(readings)[1] == rig.positions(before)[1]
            assert readings.valid[0]
            assert readings.valid[2:].all() or (rig.chained and number == 0)
            self.told(rig, readings)
        rig.hooks.silence(rig.bus.ids[1], False)
        rig.tick()
        readings = rig.tick()
        assert readings.valid.all()
        self.told(rig, readings)

    def test_a_late_answer_is_never_taken_for_a_fresh_one(self, rig: BusRig) -> None:
        rig.tick()
        rig.line.set_rate(Kind.LATE, Direction.TO_HOST, 0.3, PERIOD)
        heard = 0
        for _ in range(100):
            rig.position = rig.position + 0.001
            readings = rig.tick()
            self.told(rig, readings)
            heard += int(readings.valid.sum())
        assert 0 < heard < 100 * len(rig.bus.ids)
        assert rig.bus.statistics.late > 0

    def test_damage_costs_answers_but_never_truth(self, rig: BusRig) -> None:
        rig.tick()
        for kind in self.mixed:
            for way in Direction:
                rig.line.set_rate(kind, way, 0.02, 0.003)
        heard = 0
        for _ in range(300):
            rig.position = rig.position + 0.001
            readings = rig.tick()
            self.told(rig, readings)
            heard += int(readings.valid.sum())
        assert heard > 0.3 * 300 * len(rig.bus.ids)
        assert sum(rig.line.counts.values()) > 100

    def test_noise_without_end_cannot_hold_the_tick(self, rig: BusRig) -> None:
        rig.tick()
        for id in rig.bus.ids:
            rig.hooks.garble(id, np.random.default_rng(id))
        before = rig.now()
        assert not rig.tick().valid.any()
        assert rig.now() - before < 2 * PERIOD

    def test_nobody_there_ends_at_the_deadline(self, rig: BusRig) -> None:
        for id in rig.bus.ids:
            rig.hooks.silence(id, True)
        readings = rig.tick()
        assert not readings.valid.any()
        assert np.isneginf(readings.time).all(), "never heard is told as never"
        assert rig.bus.statistics.lost == len(rig.bus.ids)

    def test_last_readings_are_old(self, rig: BusRig) -> None:
        fresh = rig.tick()
        last = rig.bus.last_readings()
        assert not last.valid.any()
        np.testing.assert_array_equal(last.time, fresh.time)
        np.testing.assert_array_equal(rig.positions(last), rig.positions(fresh))

    def test_readings_do_not_change_later(self, rig: BusRig) -> None:
        first = rig.tick()
        then = rig.positions(first).copy()
        rig.position = rig.position + 0.1
        rig.tick()
        np.testing.assert_array_equal(rig.positions(first), then)

    def test_stopping_is_confirmed_by_reading_back(self, rig: BusRig) -> None:
        rig.engage()
        rig.tick()
        assert rig.driving().all()
        assert rig.powered().all()
        assert rig.bus.stop_all(20) == []
        assert not rig.powered().any()

    @pytest.mark.parametrize("rate", [0.01, 0.1])
    def test_stopping_through_a_bad_cable(self, rig: BusRig, rate: float) -> None:
        rig.engage()
        rig.tick()
        for kind in (Kind.DROP, Kind.FLIP):
            for way in Direction:
                rig.line.set_rate(kind, way, rate)
        unconfirmed = rig.bus.stop_all(20)
        stopped = [id not in unconfirmed for id in rig.bus.ids]
        assert not rig.powered()[stopped].any(), "confirmed must mean off"
        assert not unconfirmed

    def test_who_cannot_be_stopped_is_named(self, rig: BusRig) -> None:
        rig.engage()
        rig.hooks.silence(rig.bus.ids[-1], True)
        assert rig.bus.stop_all(3) == [rig.bus.ids[-1]]
        assert rig.powered().tolist() == [False] * (len(rig.bus.ids) - 1) + [True]

    def test_silence_of_the_host_stops_the_motors(self, rig: BusRig) -> None:
        rig.engage()
        rig.tick()
        for _ in range(15):
            rig.line.set_rate(Kind.DROP, Direction.TO_DEVICE, 1.0)
            rig.tick()
        assert not rig.driving().any(), "the firmware's watchdog must stop what nobody commands"

    def test_an_unplugged_cable_is_told_in_the_same_tick(self, rig: BusRig) -> None:
        fresh = rig.tick()
        rig.wire.unplug()
        for use in (rig.tick, lambda: rig.bus.stop_all(2), rig.bus.probe):
            with pytest.raises(WireClosed):
                use()
        last = rig.bus.last_readings()
        assert not last.valid.any()
        np.testing.assert_array_equal(last.time, fresh.time)

    def test_a_cable_that_is_back_is_used_after_reopening(self, rig: BusRig) -> None:
        rig.tick()
        rig.wire.unplug()
        with pytest.raises(WireClosed):
            rig.bus.reopen()
        rig.wire.plug_in()
        rig.bus.reopen()
        rig.configure()
        rig.position = rig.position + 0.001
        readings = rig.tick()
        assert readings.valid.all()
        self.told(rig, readings)

    def test_exchanges_are_counted_and_timed(self, rig: BusRig) -> None:
        for _ in range(5):
            rig.tick()
        statistics = rig.bus.statistics
        assert statistics.exchanges == 5
        assert sum(statistics.cycles) == 5
        assert statistics.lost == statistics.corrupt == statistics.late == 0

    def test_closing_twice_is_harmless(self, rig: BusRig) -> None:
        rig.bus.close()
        rig.bus.close()
        with pytest.raises(WireClosed):
            rig.tick()
