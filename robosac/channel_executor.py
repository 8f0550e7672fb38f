"""An executor whose goals come from a channel and whose ticks go into it."""

from __future__ import annotations

from collections.abc import Callable

from robosac.channel import Beat, Channel, GoalDown
from robosac.clock import Clock
from robosac.errors import ArmingError
from robosac.estop import EStopGate
from robosac.executor import Executor
from robosac.hal import CameraView, JointCommand, Robot, RobotState
from robosac.latch import Journal
from robosac.lateness import LatenessHistogram
from robosac.reasons import Reason
from robosac.requests import ExecutorSettings, Request, interval
from robosac.states import SafetyState
from robosac.tick_codec import NOT_A_VECTOR, TickRecord
from robosac.ticks import Tick
from robosac.watch import Findings, Reaction

LATENESS_EVERY_TICKS = 50
"""How often the histogram in the channel is renewed."""


class ChannelExecutor(Executor):
    """Takes the newest goal at the beginning of every tick, and shows every tick at its end.

    Args:
        robot, clock, gate, period, settings, journal: see `Executor`; the clock is the machine's.
        channel: the actor is at its other end.

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
        journal: Journal | None = None,
    ) -> None:
        super().__init__(robot, clock, gate, period, settings, journal)
        self.orphaned: Callable[[], bool] = _never
        self.command = 0
        self._channel, self._looked_at = channel, clock.now()
        self._lateness = LatenessHistogram()
        self._number = self._heard = self._frame_number = 0
        self._frame_sequence: int | None = None

    def cut(self) -> bool:
        """Torque off at once; True only when every motor was read back as off."""
        return self._machine.cut()

    def restart_grid(self) -> None:
        """Begin a new grid of ticks at the present, after something that took its time."""
        self._rate.restart()

    def report_lateness(self) -> None:
        """Renew the histogram in the channel."""
        self._channel.put_lateness(self._lateness, self._rate.skipped)

    def _tick(self, lateness: float) -> Tick:
        self._obey_trip()
        self._take_goal()
        self._note_look()
        tick = super()._tick(lateness)
        self._show(tick, lateness)
        return tick

    def _arm(self, recovering: bool) -> None:
        super()._arm(recovering)
        # Whoever waited for that had nothing to look at.
        self._looked_at = self._clock.now()

    def _demanded(self, now: float) -> Reaction:
        silent = Reaction.HOLD if self._silent(now) else Reaction.NONE
        return max(super()._demanded(now), silent)

    def _why(self, now: float) -> Reason:
        why = super()._why(now)
        driven = self.safety in (SafetyState.ACTIVE, SafetyState.HOLD)
        return why | Reason.AGE if driven and self._silent(now) else why

    def _note_look(self) -> None:
        """Note, once a tick, when the actor last looked."""
        pulse = self._channel.pulse()
        # A time to come would keep a hung actor alive.
        if pulse is not None and self._looked_at < pulse <= self._clock.now():
            self._looked_at = pulse

    def _silent(self, now: float) -> bool:
        """Whether the actor has not looked for too long: hung, or stopped within a long goal."""
        return interval(self._looked_at, now) > self.settings.silence

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
        if self.safety in (SafetyState.ACTIVE, SafetyState.HOLD):
            self._inbox.put(self._as_request(down))

    def _as_request(self, down: GoalDown) -> Request:
        now = self._clock.now()
        # A time to come, or none at all, would keep an old goal young.
        plausible = down.made <= now and 0.0 <= down.ramp < float("inf")
        goal = down.goal if plausible else NOT_A_VECTOR
        made = down.made if plausible else now
        # The way begins at the tick before this one, wherever within a tick the goal was made: so
        # it is walked in the same steps as in one process.
        begun = now - self._rate.period
        return Request(goal, self._course.position, made, down.ramp if plausible else 0.0, begun)

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
        beat = Beat(self._clock.now(), self._number, self.safety, self._gate.tripped)
        self._channel.put_beat(beat)


def _never() -> bool:
    return False
