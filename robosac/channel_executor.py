"""An executor whose goals come from a channel and whose ticks go into it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from robosac.channel import Beat, Channel, GoalDown
from robosac.clock import Clock
from robosac.errors import ArmingError
from robosac.estop import EStopGate
from robosac.executor import Executor
from robosac.hal import CameraView, Fault, JointCommand, Robot, RobotState
from robosac.lateness import LatenessHistogram
from robosac.requests import ExecutorSettings, Request
from robosac.states import SafetyState
from robosac.tick_codec import NOT_A_VECTOR, TickRecord
from robosac.ticks import Tick
from robosac.watch import Findings

Observer = Callable[[Tick], None]
LATENESS_EVERY_TICKS = 50
"""How often the histogram in the channel is renewed."""


class ChannelExecutor(Executor):
    """Takes the newest goal at the beginning of every tick, and shows every tick at its end.

    Args:
        robot, clock, gate, period, settings: see `Executor`; the clock is the machine's.
        channel: the actor is at its other end.
        observers: called with every tick. One that raises is not called again, and the fault
            `observer_failed` is told with every later tick; the robot is not stopped for it.

    Attributes:
        orphaned: tells whether the actor's process is gone; arming stops then.
        command: number of the newest command that was answered.
    """

    def __init__(
        self,
        robot: Robot,
        clock: Clock,
        gate: EStopGate,
        period: float,
        settings: ExecutorSettings,
        channel: Channel,
        observers: Sequence[Observer] = (),
    ) -> None:
        super().__init__(robot, clock, gate, period, settings)
        self.orphaned: Callable[[], bool] = _never
        self.command = 0
        self._channel, self._observers = channel, list(observers)
        self._lateness = LatenessHistogram()
        self._told: tuple[Fault, ...] = ()
        self._number = self._heard = self._frame_number = 0
        self._frame_sequence: int | None = None

    def cut(self) -> bool:
        """Torque off at once; True only when every motor was read back as off."""
        return self._cut()

    def restart_grid(self) -> None:
        """Begin a new grid of ticks at the present, after something that took its time."""
        self._rate.restart()

    def report_lateness(self) -> None:
        """Renew the histogram in the channel."""
        self._channel.put_lateness(self._lateness, self._rate.skipped)

    def _tick(self, lateness: float) -> Tick:
        self._obey_trip()
        self._take_goal()
        tick = super()._tick(lateness)
        if self._told:
            tick = replace(tick, faults=tick.faults + self._told)
        self._show(tick, lateness)
        self._let_observe(tick)
        return tick

    def _arming_tick(self, command: JointCommand) -> tuple[RobotState, Findings]:
        self._obey_trip()
        if self.orphaned():
            raise ArmingError("the actor's process ended while arming")
        found = super()._arming_tick(command)
        self._beat()
        return found

    def _obey_trip(self) -> None:
        reason = self._channel.trip_reason()
        if reason is not None:
            self._gate.trip(reason)

    def _take_goal(self) -> None:
        """Take a goal that is new; its age counts from when the actor made it."""
        down = self._channel.request()
        if down is None or down.number == self._heard:
            return
        self._heard = down.number
        if self._safety in (SafetyState.ACTIVE, SafetyState.HOLD):
            self._inbox.put(self._as_request(down))

    def _as_request(self, down: GoalDown) -> Request:
        now = self._clock.now()
        # A time to come, or none at all, would keep an old goal young.
        plausible = down.made <= now and 0.0 <= down.ramp < float("inf")
        goal = down.goal if plausible else NOT_A_VECTOR
        made = down.made if plausible else now
        return Request(goal, self._course.position, made, down.ramp if plausible else 0.0)

    def _show(self, tick: Tick, lateness: float) -> None:
        self._number += 1
        self._lateness.add(lateness)
        self._show_picture(tick.state.camera)
        self._channel.put_tick(
            TickRecord(
                tick,
                self._number,
                self._heard,
                self.command,
                self.commanded_position,
                self.faults,
                self._frame_number,
            )
        )
        self._beat()
        if self._number % LATENESS_EVERY_TICKS == 0:
            self.report_lateness()

    def _show_picture(self, view: CameraView | None) -> None:
        frame = None if view is None else view.frame
        if frame is not None and frame.sequence != self._frame_sequence:
            self._frame_number += 1
            self._frame_sequence = frame.sequence
            self._channel.put_picture(self._frame_number, frame.image)

    def _beat(self) -> None:
        beat = Beat(self._clock.now(), self._number, self._safety, self._gate.tripped)
        self._channel.put_beat(beat)

    def _let_observe(self, tick: Tick) -> None:
        for observer in tuple(self._observers):
            try:
                observer(tick)
            except Exception as error:  # noqa: BLE001 (whatever it is, it is told)
                # The robot does not depend on being watched; that it is not any more is told.
                self._observers.remove(observer)
                detail = f"{type(error).__name__}: {error}; it sees no later tick"
                self._told += (Fault("observer_failed", _name(observer), detail),)


def _name(observer: Observer) -> str:
    return getattr(observer, "__qualname__", type(observer).__qualname__)


def _never() -> bool:
    return False
