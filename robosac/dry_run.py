"""`robosac dry-run`: the rehearsal of the real thing on the twin, in real time, faults included.

The twin's firmware runs in a process of its own behind pseudo-terminals; executor, actor and
learner are processes as they are with a robot. While it learns, one thing after the other goes
wrong, and each must be told, reacted to and recovered from as the hazard table requires.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from robosac.check.row import Row
from robosac.check.standing import preflight
from robosac.config import load_preset
from robosac.errors import ConfigError, RobotError, RunFolderError
from robosac.lateness import LatenessHistogram
from robosac.rehearsal.cases import Case, ShellStop, chosen, left_out
from robosac.rehearsal.conductor import Conductor, Totals
from robosac.rehearsal.crew import Crew
from robosac.rehearsal.enact import Enactment
from robosac.rehearsal.files import CALIBRATION_FILE, ROBOT_FILE, robot_of, write_robot
from robosac.rehearsal.link import Listener
from robosac.rehearsal.report import FORMAT, Learning, Loop, Rehearsal
from robosac.rehearsal.stage import Served, TwinStage
from robosac.rehearsal.verdict import Outcome
from robosac.runs import RunFolder, utc_now
from robosac.settings import RobotConfig
from robosac.twin_server import TWIN_PRIORITY

ACTOR = (sys.executable, "-m", "robosac.rehearsal.process")
CASE_S = 6.0
"""How long a case usually takes, for the time left, s."""
FIRST_S = 5.0
"""So long it learns before anything goes wrong, s; at most half of the whole."""
BEGIN_STEPS = 32
"""After so many steps learning begins."""
ENOUGH = 3 * BEGIN_STEPS
"""With so many transitions a learner must have made an update."""
SLOW = 0.9
"""A twin slower than this share of real time is told."""


@dataclass(frozen=True)
class Request:
    """What to rehearse."""

    preset: str
    seconds: float
    """The robot learns for at least so long, faults included, s."""
    faults: str
    """all, none, or names with commas between them."""
    seed: int
    out: Path | None
    """The rehearsal's folder; None: one in runs/."""


Told = Callable[[str, float], None]
"""What happens, and how many seconds are left."""


def rehearse(request: Request, told: Told) -> tuple[Path, Rehearsal]:
    """Rehearse, and return the folder and what was found, if interrupted until then.

    Raises:
        ConfigError: no such preset, or no such fault.
        RunFolderError: the folder exists.
        RobotError: no actor, or no twin, can be started.
    """
    cases = chosen(request.preset, request.faults)
    folder = _folder(request)
    # Names of sockets must be short, and ports must not outlive the rehearsal.
    ports = Path(tempfile.mkdtemp(prefix="robosac-"))
    try:
        with _served(request, ports) as twin:
            return folder, _Run(request, folder, ports, twin, cases, told).run()
    finally:
        shutil.rmtree(ports, ignore_errors=True)


class _Run:
    """One rehearsal."""

    def __init__(
        self,
        request: Request,
        folder: Path,
        ports: Path,
        twin: Served,
        cases: Sequence[Case],
        told: Told,
    ) -> None:
        self._request, self._folder, self._ports = request, folder, ports
        self._told = told
        self._config = _configured(request, folder)
        self._served, self._refused = twin.ports, twin.refused
        self._stage = TwinStage(twin, request.preset)
        # Neither locks nor faults of a real robot of the same name are touched.
        self._environment = {
            **os.environ,
            "XDG_RUNTIME_DIR": str(ports),
            "XDG_STATE_HOME": str(folder.resolve() / "state"),
        }
        self._not_enacted = _not_enacted(cases, self._environment)
        self._cases = [case for case in cases if case.name not in self._not_enacted]
        self._left: dict[int, str] = left_out(request.preset)
        self._outcomes: list[Outcome] = []
        self._failures: list[str] = []
        self._interrupted = False
        self._began, self._started = time.monotonic(), utc_now()

    def run(self) -> Rehearsal:
        """Preflight, learning, faults, the end; what was found, even if ended before its time."""
        RunFolder.create(self._folder, self._config)
        write_robot(self._folder, robot_of(self._request.preset), self._served)
        checks = preflight(self._config, self._folder)
        listener = Listener(self._ports / "control")
        conductor = Conductor(self._stage, lambda: self._crew(listener), self._say)
        try:
            self._conduct(conductor)
        except RobotError as error:
            self._failures.append(str(error))
        except KeyboardInterrupt:
            self._interrupted = True
            self._failures.append("it was interrupted before its end")
        finally:
            conductor.end()
            listener.close()
        return self._found(conductor, checks)

    def _conduct(self, conductor: Conductor) -> None:
        conductor.begin()
        self._learn(conductor, min(FIRST_S, self._request.seconds / 2.0))
        enactment = Enactment(conductor, self._environment)
        for number, case in enumerate(self._cases):
            following = self._cases[number + 1] if number + 1 < len(self._cases) else None
            self._say(f"{number + 1} of {len(self._cases)}: {case.title}")
            outcome = enactment.play(case, following)
            self._outcomes.append(outcome)
            self._say(f"{case.name}: {'held' if outcome.held else 'FAILED, ' + outcome.why}")
        self._learn(conductor, self._request.seconds - (time.monotonic() - self._began))

    def _learn(self, conductor: Conductor, seconds: float) -> None:
        """Let it learn undisturbed."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            conductor.revive()
            conductor.until(lambda: False, min(1.0, max(0.0, deadline - time.monotonic())))
            self._say("learning")

    def _crew(self, listener: Listener) -> Crew:
        command = [*ACTOR, str(self._folder), str(self._ports / "control")]
        return Crew(command, listener, self._environment)

    def _say(self, text: str) -> None:
        cases = max(0, len(self._cases) - len(self._outcomes)) * CASE_S
        learning = self._request.seconds - (time.monotonic() - self._began)
        self._told(text, max(cases, learning, 0.0))

    def _found(self, conductor: Conductor, checks: tuple[Row, ...]) -> Rehearsal:
        totals, warnings = conductor.totals, list(conductor.warnings)
        if self._refused is not None:
            warnings.append(self._refused)
        factor = self._stage.real_time_factor()
        if factor < SLOW:
            warnings.append(f"this computer is too slow: {factor:.2f} of real time")
        if totals.refusals:
            warnings.append(
                f"the robot could not be set up {totals.refusals} times although nothing was broken"
            )
        if totals.unconfirmed:
            self._failures.append(f"torque was not read back as off at {totals.unconfirmed} ends")
        if self._stage.driving():
            self._failures.append("a motor was still driven at the end")
        seconds = time.monotonic() - self._began
        self._failures += _learning_failures(conductor.totals)
        names = {outcome.name for outcome in self._outcomes}
        unseen = tuple(case.name for case in self._cases if case.name not in names)
        held = all(outcome.held for outcome in self._outcomes) and not unseen
        return Rehearsal(
            format=FORMAT,
            preset=self._request.preset,
            seed=self._request.seed,
            started=f"{self._started:%Y-%m-%d %H:%M:%S}",
            wall_s=seconds,
            held=held and not self._failures,
            preflight=tuple((row.name, row.found) for row in checks),
            outcomes=tuple(self._outcomes),
            left_out=self._left,
            not_enacted=self._not_enacted,
            unseen=unseen,
            loop=loop_of(totals.lateness, totals.skipped, totals.watchdog_trips),
            learning=Learning(
                steps=totals.steps,
                episodes=totals.episodes,
                updates=totals.updates,
                stored=totals.stored,
                policies=totals.policies,
            ),
            real_time_factor=factor,
            warnings=tuple(warnings),
            failures=tuple(self._failures),
            interrupted=self._interrupted,
        )


def loop_of(histogram: LatenessHistogram, skipped: int, watchdog_trips: int) -> Loop:
    """How the loop kept time, as a document."""

    def quantile(share: float) -> float | None:
        return 1e3 * histogram.quantile_s(share) if histogram.total else None

    return Loop(
        ticks=histogram.total,
        skipped=skipped,
        lateness_p50_ms=quantile(0.5),
        lateness_p99_ms=quantile(0.99),
        lateness_p99_9_ms=quantile(0.999),
        lateness_max_ms=1e3 * histogram.longest_s if histogram.total else None,
        watchdog_trips=watchdog_trips,
    )


def _learning_failures(totals: Totals) -> list[str]:
    """What actor and learner must have done by now."""
    wrong: list[str] = []
    if not totals.steps:
        wrong.append("the actor made no step")
    if not totals.stored:
        wrong.append("no transition reached the learner")
    if totals.stored >= ENOUGH and not totals.updates:
        wrong.append("the learner made no update")
    if totals.watchdog_trips:
        wrong.append(f"a motor's own watchdog tripped {totals.watchdog_trips} times unasked")
    return wrong


def _not_enacted(cases: Sequence[Case], environment: Mapping[str, str]) -> dict[str, str]:
    """Cases that would reach beyond the rehearsal, and why."""
    shells = [case for case in cases if isinstance(case.injection, ShellStop)]
    if not shells:
        return {}
    from robosac.rehearsal.shell import strangers

    others = ", ".join(strangers(environment))
    return {case.name: f"it would also stop {others}" for case in shells if others}


def _folder(request: Request) -> Path:
    folder = request.out or Path("runs") / f"dry-run-{request.preset}-{utc_now():%Y%m%d-%H%M%S}"
    if folder.exists():
        raise RunFolderError(f"{folder} exists; name another with --out")
    return folder


@contextmanager
def _served(request: Request, ports: Path) -> Iterator[Served]:
    """The twin, served for the rehearsal's time; it learns on the floor, and is looked at."""
    from sim.served import ServeError, served

    robot = robot_of(request.preset)
    cameras = ports if request.preset != "claw" else None
    try:
        with served(
            robot, seed=request.seed, link=ports, cameras=cameras, priority=TWIN_PRIORITY
        ) as twin:
            yield twin
    except ServeError as error:
        raise RobotError(str(error)) from error


def _configured(request: Request, folder: Path) -> RobotConfig:
    """The preset's settings for the served twin, with a learner that begins soon."""
    overrides = [
        f"seed={request.seed}",
        "robot.address=serial",
        f"robot.file={(folder / ROBOT_FILE).resolve()}",
        f"robot.calibration={(folder / CALIBRATION_FILE).resolve()}",
        f"sac.random_steps={BEGIN_STEPS}",
        f"sac.batch_size={BEGIN_STEPS}",
        "sac.replay_capacity=20000",
        f"flight.folder={(folder / FLIGHT).resolve()}",
        f"flight.seconds={FLIGHT_S}",
        f"task.episode_steps={EPISODE_STEPS[robot_of(request.preset)]}",
    ]
    config = load_preset(request.preset, overrides)
    if not isinstance(config, RobotConfig):
        raise ConfigError(f"{request.preset} has no robot to rehearse with")
    return config


FLIGHT_S = 5
"""Seconds in a recording: each takes a processor as long as it is, and there is one a fault."""
FLIGHT = "flight"
EPISODE_STEPS = {"minitaur": 200, "claw": 40}
"""Four seconds: what waits for the end of an episode does not wait long."""
