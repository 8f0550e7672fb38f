"""Pictures a second of the hand's rendered camera, beside its rays alone: taking turns in one run.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.camera_speed

from the repository's root. Each picture is of another state of the hand, and kinematics are counted
with it. Times are the thread's own on its processor, so that what else runs there counts for less.
`rays` casts one ray a pixel at everything and does no more; `picture` is `RayCamera`,
shaded; `noisy` is what a driver gets, with the sensor's noise; `softened` has four rays a pixel.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sim.camera_sensor import Sensor, SensorSettings
from sim.engine import Data, Model, mujoco
from sim.ray_camera import RayCamera
from sim.rays import cast, pinhole, room_for

MODEL = Path(__file__).parents[2] / "sim" / "models" / "claw.xml"
HOME = np.array([0.0, -math.pi / 3, math.pi / 3] * 3)
STATES = 64
FINGERS_RAD = 0.5
"""Fingers are anywhere within so much of where they start."""


def rays_alone(model: Model, data: Data, side: int) -> Callable[[], None]:
    """One ray through each pixel, as the camera's model has it."""
    mujoco.mj_forward(model, data)
    camera = model.camera("hand").id
    right, up, backward = data.cam_xmat[camera].reshape(3, 3).T
    half = math.tan(math.radians(model.cam_fovy[camera]) / 2)
    rays = pinhole((right, up, -backward), half, (side, side), (1.0, 1.0))
    eye, room = data.cam_xpos[camera].copy(), room_for(len(rays))

    def shoot() -> None:
        mujoco.mj_kinematics(model, data)
        cast(model, data, eye, rays, 3.0, into=room)

    return shoot


def candidates(model: Model, data: Data, side: int) -> dict[str, Callable[[], object]]:
    """What makes one picture of the present state, by name."""
    plain = RayCamera(model, width=side, height=side)
    soft = RayCamera(model, width=side, height=side, supersample=2)
    sensor = Sensor(SensorSettings(), np.random.default_rng(0))
    return {
        "rays": rays_alone(model, data, side),
        "picture": lambda: plain.render(data),
        "noisy": lambda: sensor.expose(plain.radiance(data)),
        "softened": lambda: soft.render(data),
    }


def measure(side: int, rounds: int, count: int) -> dict[str, list[float]]:
    """Processor seconds of each picture; the candidates take turns, `count` pictures at a time."""
    model = mujoco.MjModel.from_xml_path(str(MODEL))
    data = mujoco.MjData(model)
    rng = np.random.default_rng(1)
    states = np.empty((STATES, model.nq))
    states[:, :9] = HOME + rng.uniform(-FINGERS_RAD, FINGERS_RAD, (STATES, 9))
    states[:, 9] = rng.uniform(-math.pi, math.pi, STATES)
    ways = candidates(model, data, side)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, picture in ways.items():
            for index in range(count):
                data.qpos[:] = states[index % STATES]
                started = time.thread_time()
                picture()
                elapsed = time.thread_time() - started
                if turn:
                    times[name].append(elapsed)
    return times


def table(times: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Medians, and how many times faster than the rays alone."""
    medians = {name: float(np.median(values)) for name, values in times.items()}
    return {
        name: {
            "frames_per_s": round(1.0 / medians[name]),
            "median_us": round(1e6 * medians[name]),
            "best_us": round(1e6 * min(values)),
            "times_faster_than_rays": round(medians["rays"] / medians[name], 2),
        }
        for name, values in times.items()
    }


def main() -> None:
    """Measure and write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 84], help="px")
    parser.add_argument("--rounds", type=int, default=10, help="turns each candidate takes")
    parser.add_argument("--count", type=int, default=STATES, help="pictures in one turn")
    parser.add_argument("--json", type=Path, help="write here rather than to standard output")
    options = parser.parse_args()
    report = {
        f"{side}x{side}": table(measure(side, options.rounds, options.count))
        for side in options.sizes
    }
    text = json.dumps(report, indent=1)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    else:
        sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
