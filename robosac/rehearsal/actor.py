"""The robot's half of a rehearsal: an actor with its executor, each in a process of its own.

It acts and learns as a run does; beside that it asks the rehearsal before every episode, as a robot
asks its operator, and hands over the executor's channel. Its parent's end, a broken line or SIGTERM
ends it with torque off.
"""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from robosac.actor import Actor, episode_seed
from robosac.channel_layout import Layout
from robosac.config import parse
from robosac.errors import ArmingError, NotArmedError, RobotError
from robosac.hal import FloatArray, Limits
from robosac.observation import Observation
from robosac.rehearsal.cases import Spoil
from robosac.rehearsal.link import (
    Acting,
    Cleared,
    Ended,
    Finish,
    Go,
    Hello,
    LetGo,
    Line,
    Progress,
    Ready,
    Refused,
    Resetting,
    SpoilGoals,
    Spoilt,
    Standing,
    ToActor,
    call,
    now,
)
from robosac.remote_executor import RemoteExecutor
from robosac.remote_stage import start
from robosac.settings import ClawConfig, MinitaurConfig, TrainConfig
from robosac.tasks.turn import ClawTurn
from robosac.tasks.walk import MinitaurWalk
from robosac.transition import Transition

CONFIG = "config.yaml"
"""In the rehearsal's folder: the settings."""
JOINTS = {MinitaurConfig: 8, ClawConfig: 10}
CALL_TIMEOUT_S: Final = 10.0
SPOIL_S: Final = 1.5
"""How long nonsense is asked for, s; the executor has had enough before."""
SWAY_RAD, SWAY_S = 0.25, 0.6
"""Half of the motion to and fro, and its period, s."""
CENTRE_S: Final = 0.5
"""Before it joints go to where both sides are free, in so long, s."""
PROGRESS_EVERY_S: Final = 1.0
LOOK_EVERY_S: Final = 0.02
"""How often it is asked how learning goes, s: once a control step of the quadruped."""
IDLE_S: Final = 0.1
"""How long it waits for its operator before it looks up, s."""
FAR_RAD: Final = 9.0
TICKS_A_GOAL: Final = 4
OK, EXECUTOR_LOST = 0, 3


@dataclass(frozen=True)
class MindCounts:
    """How learning goes."""

    policies: int = 0
    """Policies that were taken over."""
    updates: int = 0
    """Gradient updates of the learner."""
    stored: int = 0
    """Transitions that the learner has."""
    learner: bool = False
    """Whether the learner answers."""
    learner_pid: int = 0


class Mind(Protocol):
    """What decides and learns."""

    actor_id: str
    """By what name it learns."""

    @property
    def version(self) -> int:
        """Of the policy that acts."""
        ...

    @property
    def sequence(self) -> int:
        """Number of the next transition."""
        ...

    def act(self, observation: Observation) -> NDArray[np.float32]:
        """An action in [-1, 1]."""
        ...

    def add(self, transition: Transition) -> None:
        """Send what came of it to the learner."""
        ...

    def counts(self) -> MindCounts:
        """How learning goes."""
        ...

    def close(self) -> None:
        """End it."""
        ...


MakeMind = Callable[[TrainConfig, gymnasium.Env[Any, Any], Path], Mind]


class Finished(Exception):
    """The rehearsal is over."""


class Asking:
    """The rehearsal as an operator: satisfies `robosac.tasks.operator.Attendant`.

    Args:
        line: to the rehearsal.
        executor: whose faults are told, and whose e-stop gate is opened once they were seen to.
    """

    def __init__(self, line: Line[ToActor], executor: RemoteExecutor) -> None:
        self._line, self._executor = line, executor
        self._asked = self._free = False
        self.spoil: Spoil | None = None
        """What nonsense to ask for."""
        self.waiting: Callable[[], None] = _nothing
        """Called while it waits for the rehearsal."""

    def begin(self, seed: int) -> None:
        """Ask before a robot sets itself up; with faults it asks again, by `place`."""
        del seed
        if not self._executor.faults:
            self.place(0, ())

    def place(self, seed: int, faults: tuple[str, ...]) -> None:
        """Ask for the robot to be set up; returns once the causes of `faults` were seen to.

        Raises:
            Finished: the rehearsal is over instead.
        """
        del seed
        latched = {entry.fault.name for entry in self._executor.faults}
        self._ask(faults)
        if self._executor.gate.tripped:
            self._executor.gate.reset()
        cleared = tuple(name for name in faults if name in latched)
        if cleared:
            # The task clears each by its name as soon as this returns.
            self._line.send(Cleared(names=cleared))
        self._line.send(Resetting(time=now()))

    def released(self) -> bool:
        """True once the body is free."""
        if not self._asked:
            self._asked = True
            self._line.send(Standing(time=now()))
        self.listen(0.0)
        return self._free

    def listen(self, timeout_s: float) -> bool:
        """Hear what the rehearsal wants; whether it said that the robot is set up."""
        went = False
        for message in self._line.receive(timeout_s):
            match message:
                case Go():
                    went = True
                case LetGo():
                    self._free = True
                case SpoilGoals():
                    self.spoil = message.how
                case Finish():
                    raise Finished
        if self._line.closed:
            raise Finished
        return went

    def _ask(self, faults: tuple[str, ...]) -> None:
        self._asked = self._free = False
        self.spoil = None
        self._line.send(Ready(time=now(), faults=faults))
        while not self.listen(IDLE_S):
            self.waiting()


class RehearsalActor:
    """Lives episode after episode until it is told to finish.

    Args:
        env: the task.
        executor: its robot.
        asking: its operator.
        line: to the rehearsal.
        mind: what decides and learns.
        seed: of every episode's start.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        executor: RemoteExecutor,
        asking: Asking,
        line: Line[ToActor],
        mind: Mind,
        seed: int,
    ) -> None:
        self._actor = Actor(env, mind.actor_id, mind.sequence)
        self._executor, self._asking, self._line = executor, asking, line
        self._mind, self._seed = mind, seed
        self._episodes = self._tries = self._steps = 0
        self._looked_at = self._told_at = 0.0
        self._learner = False
        # A learner may fall silent while the robot is armed, or on its way to its stance.
        asking.waiting = executor.waiting = self._tell

    def run(self) -> None:
        """Until `Finished`.

        Raises:
            RobotError: the executor's process has gone.
            Finished: the rehearsal is over.
        """
        while True:
            try:
                self._begin()
                self._live()
            except (ArmingError, NotArmedError, RobotError) as error:
                if self._line.closed:
                    raise Finished from error
                # Raises once more if the executor itself has gone.
                safety = self._executor.safety
                self._line.send(Refused(time=now(), text=f"{error} ({safety.value})"))

    def _begin(self) -> None:
        self._tries += 1
        self._actor.begin(self._episodes, episode_seed(self._seed, 0, self._tries))
        self._line.send(Acting(time=now()))

    def _live(self) -> None:
        """One episode."""
        while True:
            self._asking.listen(0.0)
            if self._asking.spoil is not None:
                self._spoil(self._asking.spoil)
            transition = self._actor.step(
                self._mind.act(self._actor.observation), self._mind.version
            )
            self._mind.add(transition)
            self._steps += 1
            self._tell()
            if transition.end is not None:
                self._episodes += 1
                self._line.send(Ended(time=now(), end=transition.end.value))
                return

    def _spoil(self, how: Spoil) -> None:
        """Ask for something else than actions, for a while or until the executor has had enough."""
        self._asking.spoil = None
        executor, began = self._executor, now()
        start = executor.commanded_position.copy()
        told = False
        begins_s = CENTRE_S if how is Spoil.SWAY else 0.0
        while (elapsed_s := now() - began) < begins_s + SPOIL_S:
            try:
                executor.request(spoilt(how, start, elapsed_s, executor.limits))
            except NotArmedError:
                return
            if not told and elapsed_s >= begins_s:
                self._line.send(Spoilt(time=now()))
                told = True
            for _ in range(TICKS_A_GOAL):
                executor.tick()

    def _tell(self) -> None:
        moment = now()
        if moment - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at, counts = moment, self._mind.counts()
        changed = counts.learner != self._learner
        if changed or moment - self._told_at >= PROGRESS_EVERY_S:
            self._told_at, self._learner = moment, counts.learner
            self._line.send(
                Progress(time=moment, steps=self._steps, episodes=self._episodes, **asdict(counts))
            )


def spoilt(how: Spoil, start: FloatArray, elapsed_s: float, limits: Limits) -> FloatArray:
    """What is asked for `elapsed_s` after the robot was at `start` (rad), in place of an action."""
    goal = start.copy()
    match how:
        case Spoil.NAN:
            goal[0] = math.nan
        case Spoil.SHAPE:
            goal = goal[:-1]
        case Spoil.JUMP:
            goal += FAR_RAD
        case Spoil.SWAY:
            room = 1.5 * SWAY_RAD
            centre = np.clip(start, limits.lower + room, limits.upper - room)
            goal += min(1.0, elapsed_s / CENTRE_S) * (centre - start)
            phase = max(0.0, elapsed_s - CENTRE_S) / SWAY_S
            goal += SWAY_RAD * math.sin(math.tau * phase)
    return goal


def main(folder: Path, control: Path, make_mind: MakeMind) -> int:
    """Act until told to finish; the exit code.

    Args:
        folder: the rehearsal's run folder.
        control: the rehearsal's socket.
        make_mind: starts what decides and learns.
    """
    signal.signal(signal.SIGTERM, _finish)
    config = parse((folder / CONFIG).read_text(encoding="utf-8"), CONFIG)
    line = call(control, CALL_TIMEOUT_S)
    try:
        _act(config, line, folder, make_mind)
    except Finished:
        return OK
    except RobotError as error:
        sys.stderr.write(f"{error}\n")
        return EXECUTOR_LOST
    finally:
        line.close()
    return OK


def _act(config: TrainConfig, line: Line[ToActor], folder: Path, make_mind: MakeMind) -> None:
    """Open the robot, call in, and live until something ends it; torque is off then."""
    if not isinstance(config, MinitaurConfig | ClawConfig):
        raise RobotError(f"{config.preset} is no robot")
    picture = None
    if isinstance(config, ClawConfig) and config.task.pixels:
        picture = (config.twin.camera.size, config.twin.camera.size)
    joints = JOINTS[type(config)]
    executor, _ = start(config, Layout(joints, picture))
    with ExitStack() as opened:
        opened.callback(executor.close)
        asking = Asking(line, executor)
        env: gymnasium.Env[Any, Any]
        if isinstance(config, MinitaurConfig):
            env = MinitaurWalk(executor, asking, config.task)
        else:
            env = ClawTurn(executor, asking, config.task, picture)
        mind = make_mind(config, env, folder)
        opened.callback(mind.close)
        hello = Hello(
            executor_pid=executor.pid,
            period_s=executor.period,
            tilt_limit=_tilt_limit(config, executor.limits),
            joints=joints,
            warnings=executor.warnings,
        )
        line.send(hello, executor.descriptor)
        RehearsalActor(env, executor, asking, line, mind, config.seed).run()


def _tilt_limit(config: TrainConfig, limits: Limits) -> float | None:
    """Tilt at which task or monitor takes the body for falling, rad; None: it cannot fall."""
    if isinstance(config, MinitaurConfig):
        return min(limits.tilt, config.task.fall_angle_rad)
    return limits.tilt if math.isfinite(limits.tilt) else None


def _nothing() -> None:
    """Nobody wants to know."""


def _finish(*_: object) -> NoReturn:
    # Once: what follows switches torque off, and must not be broken off.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Finished
