"""What calibration gives back to a policy that was trained on the nominal twin.

    python -m tests.sweeps.policy_transfer runs/my-walk --robots 12 --picture transfer.png

from the repository's root. The run's newest evaluated policy walks, by its mean, on quadrupeds
whose horns, sensor mounting, friction, armature, torque constant and latency are drawn from a seed
that the routines cannot see: driven by the drawings' numbers, and by what the routines measured.
Beside that, on robots with only a part of it hidden, driven by the drawings' numbers; and on the
twin that the calibration makes, which foretells how the robot will do. Last, robots that are put
together in any way: those are only armed by the drawings' numbers.

Joints and sensor change what the policy sees and commands. Actuators and latency change the twin
alone; a robot whose motors are weak walks no faster for being known.

Nothing is bounded: the exit code is 0 where every robot was calibrated.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from calibration.errors import Undetermined
from robosac.assembly import make_stage
from robosac.config import load_preset
from robosac.errors import ArmingError, ConfigError, RobosacError, RobotError
from robosac.evaluation import evaluate
from robosac.policies import load_policy
from robosac.runs import RunFolder
from robosac.settings import MinitaurConfig
from robosac.tasks.ends import EpisodeEnd
from tests.sweeps.hidden_actuators import Remembered
from tests.sweeps.saying import say
from tests.sweeps.transfer_found import DRAWINGS, FORETOLD, MEASURED, PARTS, Found, Robot, Walks
from tests.sweeps.transfer_picture import picture
from tests.sweeps.transfer_robot import (
    Build,
    Spans,
    calibrate,
    foretelling,
    settings,
    write_drawn,
)

NOMINAL_EPISODES = 8
PATHS = ("run", "json", "picture")
"""Options that say nothing of what was found."""


@dataclass(frozen=True)
class Sweep:
    """What is the same for all robots."""

    run: RunFolder
    policy: Any
    episodes: int
    spans: Spans
    memory: dict[str, Remembered] = field(default_factory=dict[str, Remembered])

    def walk(self, build: Build, overrides: list[str], seed: int) -> Walks:
        """Episodes of a robot."""
        with build.on_the_wire():
            return self.twin(overrides, seed, self.episodes)

    def robot(self, seed: int, parts: bool) -> Robot:
        """One hidden robot, calibrated by the routines.

        Raises:
            Undetermined, RobosacError: a routine refused.
        """
        build = Build.drawn(np.random.default_rng([seed, 8]), self.spans)
        made = Robot(seed)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            calibrate(build, folder, seed, self.memory)
            drawings, measured = settings(folder, False), settings(folder, True)
            made.walks[DRAWINGS] = self.walk(build, drawings, seed)
            made.walks[MEASURED] = self.walk(build, measured, seed)
            if parts:
                for part in PARTS:
                    made.walks[part] = self.walk(build.only(part), drawings, seed)
                made.walks[FORETOLD] = self.twin(foretelling(folder), seed, self.episodes)
        return made

    def twin(self, overrides: list[str], seed: int, episodes: int) -> Walks:
        """Episodes of the twin as `overrides` make it."""
        config = self.run.config
        assert isinstance(config, MinitaurConfig)
        robot = load_preset("minitaur", overrides)
        assert isinstance(robot, MinitaurConfig)
        walks, steps = Walks(), config.task.episode_steps
        stage = make_stage(msgspec.structs.replace(config, robot=robot.robot))
        try:
            done = evaluate(stage, self.policy, episodes, seed)
        except (ArmingError, RobotError) as error:
            walks.refused = str(error)
            return walks
        finally:
            stage.close()
        for episode in done.episodes:
            assert episode.speed_m_s is not None
            walks.speed_m_s.append(episode.speed_m_s)
            walks.lasted.append(episode.length / steps)
            walks.falls += episode.end is EpisodeEnd.TERMINATED
            walks.stopped += episode.end not in (EpisodeEnd.TERMINATED, EpisodeEnd.TRUNCATED)
        return walks


def put_together_in_any_way(sweep: Sweep, seed: int) -> str:
    """Why such a robot is not armed by the drawings' numbers; empty if it is."""
    build = Build.drawn(np.random.default_rng([seed, 9]), None)
    with tempfile.TemporaryDirectory() as name:
        write_drawn(Path(name))
        return sweep.walk(build, settings(Path(name), False), seed).refused


def main(arguments: list[str] | None = None) -> int:
    """Run the sweep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="run folder of a quadruped's policy")
    parser.add_argument("--step", type=int, help="of the evaluation whose policy walks; newest")
    parser.add_argument("--robots", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0, help="of the first robot")
    parser.add_argument("--episodes", type=int, default=2, help="of each robot, each way")
    parser.add_argument("--parts", type=int, default=12, help="robots looked at part by part")
    parser.add_argument("--any-way", type=int, default=20, help="robots put together in any way")
    parser.add_argument("--horns-deg", type=float, default=8.0, help="off the drawing, at most")
    parser.add_argument("--mounting-deg", type=float, default=8.0, help="of the sensor, at most")
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no robot after")
    parser.add_argument("--json", type=Path, help="write everything there too")
    parser.add_argument("--picture", type=Path, help="write the PNG there")
    options = parser.parse_args(arguments)
    begun, run = time.monotonic(), RunFolder.open(options.run)
    if not isinstance(run.config, MinitaurConfig) or not run.evaluation_steps():
        raise ConfigError(f"{options.run} has no evaluated policy of a quadruped")
    step = options.step or run.evaluation_steps()[-1]
    policy = load_policy(run.evaluation_folder(step))
    spans = Spans(math.radians(options.horns_deg), math.radians(options.mounting_deg))
    sweep = Sweep(run, policy, options.episodes, spans)
    told = {key: str(value) for key, value in vars(options).items() if key not in PATHS}
    found = Found(sweep.twin([], options.seed, NOMINAL_EPISODES))
    any_way = range(options.seed, options.seed + options.any_way)
    found.any_way = [put_together_in_any_way(sweep, seed) for seed in any_way]
    for number in range(options.robots):
        if time.monotonic() - begun > options.seconds:
            say(f"time is up after {number} of {options.robots}")
            break
        seed = options.seed + number
        try:
            robot = sweep.robot(seed, number < options.parts)
        except (Undetermined, RobosacError) as error:
            found.uncalibrated.append(f"{seed}: {error}")
            continue
        found.robots.append(robot)
        speeds = {way: round(walks.speed, 3) for way, walks in robot.walks.items()}
        say(f"{seed}: {speeds}, {time.monotonic() - begun:.0f} s")
        if options.json is not None:
            found.write(options.json, told)
    found.tell()
    if options.json is not None:
        found.write(options.json, told)
    if options.picture is not None:
        options.picture.write_bytes(picture(found))
    return 1 if found.uncalibrated or not found.robots else 0


if __name__ == "__main__":
    sys.exit(main())
