"""An actor that drives a served quadruped through the executor's own process, until it is ended.

    python -m tests.sweeps.kill_actor FOLDER

FOLDER has robot.yaml and calibration.yaml. Once the robot follows its swaying goals it says one
JSON line, the executor's process id; a problem is said in its place.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np

from robosac.channel_layout import Layout
from robosac.config import dump, load_preset
from robosac.errors import RobosacError
from robosac.executor_child import ExecutorChild
from robosac.executor_process import ChildDocument
from robosac.rehearsal.files import CALIBRATION_FILE, ROBOT_FILE
from robosac.remote_executor import RemoteExecutor
from robosac.settings import MinitaurConfig
from robosac.states import SafetyState
from robosac.tasks.driving import Driver
from robosac.tasks.legs import joints_from_legs
from tests.sweeps.saying import say

JOINTS = 8
SWAY_RAD, SWAY_S = 0.1, 0.5
DRIVEN_S = 0.2
"""How long it sways before it says so: by then every goal differs from the one before."""


def main(folder: Path) -> int:
    config = load_preset(
        "minitaur",
        (
            "robot.address=serial",
            f"robot.file={folder / ROBOT_FILE}",
            f"robot.calibration={folder / CALIBRATION_FILE}",
            f"stop.state_folder={folder / 'state'}",
            "stop.console_key=false",
            f"flight.folder={folder / 'flight'}",
        ),
    )
    assert isinstance(config, MinitaurConfig)
    document = ChildDocument(dump(config), config.executor.realtime_priority)
    try:
        executor = RemoteExecutor(ExecutorChild(document, Layout(JOINTS)))
        drive(executor, config)
    except RobosacError as error:
        say(json.dumps({"problem": str(error)}))
    return 1


def drive(executor: RemoteExecutor, config: MinitaurConfig) -> None:
    """Stand up and sway for ever. Raises RobotError once that goes no longer."""
    for name in {entry.fault.name for entry in executor.faults}:
        executor.clear(name)
    executor.arm()
    task, period = config.task, config.task.control_period_s
    driver, said, elapsed = Driver(executor, period), False, 0.0
    extension = np.full(4, task.extension_centre_rad)
    driver.move(joints_from_legs(np.full(4, task.swing_centre_rad), extension), 0.3)
    while True:
        swing = task.swing_centre_rad + SWAY_RAD * math.sin(2 * math.pi * elapsed / SWAY_S)
        tick = driver.drive(joints_from_legs(np.full(4, swing), extension))[-1]
        if tick.safety not in (SafetyState.ACTIVE, SafetyState.HOLD):
            say(json.dumps({"problem": f"{tick.safety}: {tick.faults}"}))
            return
        elapsed += period
        if not said and elapsed > DRIVEN_S:
            said = True
            say(json.dumps({"executor": executor.pid}))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
