"""Every fault that the twins can enact, in every phase: the level reached, and how soon.

    python -m tests.sweeps.fault_matrix [--json FILE] [--only HAZARD] [--preset NAME] [--phase NAME]

Virtual time: the figures do not depend on the computer. Exit code 1 if a row fails.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from robosac.errors import ArmingError, NotArmedError, RobotError, SlowLimiterError
from robosac.states import SafetyState
from tests.sweeps.fault_rows import ROWS, Level, Phase, Row
from tests.sweeps.fault_scene import WATCHDOG_S, Scene
from tests.sweeps.saying import say

DELAY_S = 0.3013
"""From the begin of a phase to the fault: not a whole number of ticks."""
MOST_S = 4.0
"""How long a reaction is waited for."""
SWEEP_RAD, SWEEP_S = 0.1, 0.25
_LEVELS = {
    SafetyState.HOLD: Level.HOLD,
    SafetyState.DAMPED: Level.DAMP,
    SafetyState.DISARMED: Level.CUT,
    SafetyState.FAULT: Level.CUT,
}
_ENDS = (RobotError, ArmingError, NotArmedError, SlowLimiterError, ZeroDivisionError)
"""What a reset, a step or a tick may end with."""


@dataclass(frozen=True)
class Result:
    """One cell of the matrix."""

    hazard: int
    fault: str
    preset: str
    phase: str
    required: str
    budget_ms: float
    seen: str
    seen_ms: float
    """From the fault to the safe command on the bus; NaN: never."""
    latched: tuple[str, ...]
    passed: bool
    why: str = ""


def run(row: Row, preset: str, phase: Phase, seed: int = 0) -> Result:
    """Enact one cell."""
    scene = Scene(preset, seed)
    with contextlib.closing(_Stage(scene)):
        row.prepare(scene)
        if row.firmware:
            return _without_us(row, scene, phase)
        if phase is Phase.IDLE:
            return _idle(row, scene)
        {Phase.ACTING: _act, Phase.RESET: _reset, Phase.CALIBRATING: _calibrate}[phase](scene, row)
        return _judge(row, scene, phase)


class _Stage:
    """Ends what a cell began."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def close(self) -> None:
        mock.patch.stopall()
        self._scene.silent, self._scene.spoil, self._scene.each_step = False, None, None
        if self._scene.plan is not None:
            self._scene.plan.end()
        with contextlib.suppress(*_ENDS):
            self._scene.stage.env.close()


def _act(scene: Scene, row: Row) -> None:
    """Random actions, as in training."""
    env, rng = scene.env, np.random.default_rng(scene.seed)
    env.reset(seed=scene.seed)
    scene.at(scene.now() + DELAY_S, row.inject)
    end = scene.now() + DELAY_S + MOST_S
    with contextlib.suppress(*_ENDS):
        while scene.now() < end:
            if scene.silent:
                scene.executor.tick()
                continue
            action = rng.uniform(-1.0, 1.0, env.action_space.shape).astype(np.float32)
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                if scene.injected is not None:
                    return
                env.reset(seed=scene.seed + 1)


def _reset(scene: Scene, row: Row) -> None:
    """The task's own reset, broken while it moves the robot."""
    machine = scene.executor._machine
    enter = machine.enter

    def entered(state: SafetyState) -> None:
        enter(state)
        if state is SafetyState.ACTIVE and not scene.scheduled:
            scene.at(scene.now() + 0.1013, row.inject)

    machine.enter = entered
    with contextlib.suppress(*_ENDS):
        scene.env.reset(seed=scene.seed)
        # A fault that fell into the reset may be answered in the episode.
        assert scene.injected is not None
        while scene.now() < scene.injected + MOST_S:
            still = np.zeros(scene.env.action_space.shape, np.float32)
            _, _, terminated, truncated, _ = scene.env.step(still)
            if terminated or truncated:
                return


def _calibrate(scene: Scene, row: Row) -> None:
    """One joint after the other, there and back, through the same gate."""
    scene.env.reset(seed=scene.seed)
    executor = scene.executor
    scene.at(scene.now() + DELAY_S, row.inject)
    end = scene.now() + DELAY_S + MOST_S
    start = executor.commanded_position.copy()
    with contextlib.suppress(*_ENDS):
        for joint in _forever(scene.joints if scene.quadruped else scene.joints - 1):
            for offset in (SWEEP_RAD, -SWEEP_RAD, 0.0):
                goal = start.copy()
                goal[joint] += offset
                for step in range(round(SWEEP_S / scene.stage.seconds_per_step) or 1):
                    del step
                    executor.request(goal, scene.stage.seconds_per_step)
                    for _ in range(round(scene.stage.seconds_per_step / scene.period)):
                        tick = executor.tick()
                        if tick.safety is not SafetyState.ACTIVE:
                            executor.disarm()
                            return
                        if scene.now() > end:
                            return


def _forever(count: int) -> Iterator[int]:
    while True:
        yield from range(count)


def _idle(row: Row, scene: Scene) -> Result:
    """Broken while torque is off: arming must be refused, and nothing may drive."""
    executor = scene.executor
    scene.env.reset(seed=scene.seed)
    executor.disarm()
    for _ in range(20):
        executor.tick()
    scene.inject_now(row.inject)
    for _ in range(round(0.7 / scene.period)):
        executor.tick()
    why = "it was armed"
    try:
        executor.arm()
    except _ENDS as error:
        why = str(error)
        refused = True
    else:
        refused = False
    resting = _settled(scene)
    passed = refused and resting
    names = tuple(latched.fault.name for latched in executor.faults)
    told = why if refused else f"{why}; {names}"
    seen = "refused" if refused else "armed"
    return Result(
        row.hazard, row.name, scene.preset, "idle", "refuse", math.nan, seen, math.nan, names,
        passed, told,
    )  # fmt: skip


def _without_us(row: Row, scene: Scene, phase: Phase) -> Result:
    """Nothing ticks any more: the motors' own watchdogs must do."""
    scene.env.reset(seed=scene.seed)
    for _ in range(10):
        scene.env.step(np.zeros(scene.env.action_space.shape, np.float32))
    scene.inject_now(row.inject)
    begin = scene.now()
    driven = not scene.resting()
    while not scene.resting() and scene.now() < begin + MOST_S:
        scene.clock.wait_until(scene.now() + 0.001)
    elapsed = scene.now() - begin
    budget = row.budget_s(scene)
    passed = driven and elapsed <= budget
    return Result(
        row.hazard, row.name, scene.preset, phase.value, "CUT", budget * 1e3,
        "CUT" if scene.resting() else "NONE", elapsed * 1e3, (), passed,
    )  # fmt: skip


def _judge(row: Row, scene: Scene, phase: Phase) -> Result:
    """What the journal tells of the reaction."""
    # The hand's reset calls a person, who clears what was latched.
    names = tuple(dict.fromkeys(scene.latched))
    budget, begin = row.budget_s(scene), scene.injected
    if begin is None:
        return _result(row, scene, phase, Level.NONE, math.nan, names, False, "never injected")
    level, at = _reached(row, scene, begin)
    elapsed = at - begin
    problems: list[str] = []
    if level < row.level:
        problems.append(f"only {level.name} was reached")
    elif row.level is Level.LIMIT and level is not Level.LIMIT:
        problems.append(f"{level.name} is more than was needed")
    elif not elapsed <= budget + 1e-9:
        problems.append("too late")
    if row.latched and row.level is Level.CUT and not set(names) & set(row.latched):
        problems.append(f"latched {names}, not {row.latched}")
    if row.level >= Level.HOLD and not _settled(scene):
        problems.append("a motor is still driven")
    if scene.executor.faults and _arms(scene):
        problems.append("it armed with a latched fault")
    return _result(row, scene, phase, level, elapsed, names, not problems, "; ".join(problems))


def _reached(row: Row, scene: Scene, begin: float) -> tuple[Level, float]:
    """The first level that is enough, and when its command went out; else the highest.

    Limiting is enough where it is asked for, and told by its reason.
    """
    best = (Level.NONE, math.nan)
    for mark in scene.marks:
        if mark.time <= begin:
            continue
        if mark.reasons & row.reasons and best[0] <= Level.HOLD:
            # A request that is rejected may be too old as well, which holds in the same tick.
            return Level.LIMIT, mark.time
        level = _LEVELS.get(mark.safety, Level.NONE)
        if level > best[0]:
            best = (level, _commanded(scene, level, mark.time))
        if level >= max(row.level, Level.HOLD if row.level > Level.LIMIT else Level.DAMP):
            break
    return best


def _commanded(scene: Scene, level: Level, found: float) -> float:
    """When what was `found` (s) went out: a hold with the next command, while torque goes at once.

    Without a next command the task has let go of the robot: that came before.
    """
    if level not in (Level.HOLD, Level.DAMP):
        return found
    return next((sent for sent in scene.sent if sent >= found), found)


def _settled(scene: Scene) -> bool:
    """Whether no motor is driven once the episode is over and the watchdogs had their time."""
    if scene.executor.safety not in (SafetyState.DISARMED, SafetyState.FAULT):
        with contextlib.suppress(*_ENDS):
            scene.executor.disarm()
    scene.clock.wait_until(scene.now() + WATCHDOG_S + 0.02)
    return scene.resting()


def _arms(scene: Scene) -> bool:
    try:
        scene.executor.arm()
    except _ENDS:
        return False
    return True


def _result(
    row: Row,
    scene: Scene,
    phase: Phase,
    level: Level,
    elapsed: float,
    names: tuple[str, ...],
    passed: bool,
    why: str,
) -> Result:
    return Result(
        row.hazard, row.name, scene.preset, phase.value, row.level.name,
        row.budget_s(scene) * 1e3, level.name, elapsed * 1e3, names, passed, why,
    )  # fmt: skip


def _guarded(row: Row, preset: str, phase: Phase) -> Result:
    """As `run`; an error that nothing expected is a cell that fails, not the end of the matrix."""
    try:
        return run(row, preset, phase)
    except Exception as error:  # noqa: BLE001 (the cell fails, and says why)
        why = f"unexpected {type(error).__name__}: {error}"
        return Result(
            row.hazard, row.name, preset, phase.value, row.level.name, math.nan, "NONE",
            math.nan, (), False, " ".join(why.split()),
        )  # fmt: skip


def matrix(wanted: Callable[[Row, str, Phase], bool], say: Callable[[str], object]) -> list[Result]:
    """Enact every cell that is `wanted`, and say each as it is known."""
    say(
        f"{'#':>3} {'fault':36} {'robot':12} {'phase':12} {'required':9} {'budget':>9} "
        f"{'seen':8} {'after':>9}  result"
    )
    results: list[Result] = []
    for row in sorted(ROWS, key=lambda row: row.hazard):
        for preset in row.presets:
            for phase in row.phases:
                if wanted(row, preset, phase):
                    results.append(_guarded(row, preset, phase))
                    say(_line(results[-1]))
    return results


def _line(result: Result) -> str:
    def milliseconds(value: float) -> str:
        return "-" if math.isnan(value) else f"{value:.0f} ms"

    verdict = "ok" if result.passed else f"FAILS: {result.why}"
    return (
        f"{result.hazard:>3} {result.fault:36.36} {result.preset:12} {result.phase:12} "
        f"{result.required:9} {milliseconds(result.budget_ms):>9} {result.seen:8} "
        f"{milliseconds(result.seen_ms):>9}  {verdict}"
    )


def _plain(result: Result) -> dict[str, Any]:
    """What JSON can hold: null for what is not a number."""
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in asdict(result).items()
    }


def main(arguments: list[str] | None = None) -> int:
    """Print the matrix; the exit code."""
    parser = argparse.ArgumentParser(prog="fault_matrix", description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", type=int, help="one hazard's number")
    parser.add_argument("--preset")
    parser.add_argument("--phase", choices=[phase.value for phase in Phase])
    options = parser.parse_args(arguments)
    started = time.perf_counter()

    def wanted(row: Row, preset: str, phase: Phase) -> bool:
        return (
            options.only in (None, row.hazard)
            and options.preset in (None, preset)
            and options.phase in (None, phase.value)
        )

    results = matrix(wanted, say)
    passed = sum(result.passed for result in results)
    hazards = {result.hazard for result in results}
    say(
        f"{passed} of {len(results)} cells hold ({100 * passed / max(len(results), 1):.1f} %), "
        f"{len(hazards)} of 43 hazards enacted, in {time.perf_counter() - started:.0f} s"
    )
    if options.json is not None:
        document: dict[str, Any] = {
            "cells": len(results),
            "held": passed,
            "hazards": sorted(hazards),
            "results": [_plain(result) for result in results],
        }
        options.json.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
    return 0 if results and passed == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
