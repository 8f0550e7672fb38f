"""A quadruped in which everything is hidden that the calibration's routines seek, and the routines.

It is bolted together some other way than drawn (`bolted_twin`), and has actuators and a latency of
its own (`hidden_actuators`). Nothing but the routines' results passes from here to the calibration.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import calibration
import robosac.robots
from calibration import Calibration
from calibration.actuators import identify
from calibration.imu import calibrate_imu
from calibration.joints import calibrate_joint
from robosac.actuator_twin import comparison
from robosac.armed_bench import armed
from robosac.calibrate_actuators import record
from robosac.calibrate_latency import step_joint, timed
from robosac.calibration_file import save
from robosac.robots import measured as parts
from robosac.robots.robot_file import load_robot_file
from sim import minitaur as twin_room
from sim.minitaur import MinitaurTwin, TwinOptions
from tests.sweeps.bolted_twin import Hidden, HiddenBank, HiddenVn100, bolt
from tests.sweeps.hidden_actuators import HiddenActuators, Remembered, nominal_table
from tests.sweeps.hidden_robot import HiddenRobot

FloatArray = NDArray[np.float64]

OFFSET_RAD = -1.8
"""`offset_rad` of every motor in the robot files here: with it no encoder's turn wraps within a
joint's range, so that the joints' routine does not refuse the robot."""
STEPS = 40


@dataclass(frozen=True)
class Spans:
    """How far a robot that somebody put together by the drawing is off it."""

    horns_rad: float
    """Of each joint's zero, at most."""
    mounting_rad: float
    """Of the inertial sensor, at most, about any axis; its gyro has no bias."""


@dataclass(frozen=True)
class Build:
    """One robot, with all or only some of what is hidden in it."""

    bolted: Hidden
    actuators: HiddenActuators | None
    """None: nominal actuators and latency."""

    @classmethod
    def drawn(cls, rng: np.random.Generator, spans: Spans | None) -> Build:
        """One whose every part is its own.

        Args:
            rng: draws it.
            spans: put together by the drawing, but for these; None: in any way, signs too.
        """
        bolted, nominal = Hidden.drawn(rng), nominal_table(MinitaurTwin(TwinOptions()))
        actuators = HiddenActuators.drawn("minitaur", nominal, rng)
        if spans is not None:
            near = OFFSET_RAD + spans.horns_rad * rng.uniform(-1.0, 1.0, 8)
            bolted = replace(
                as_drawn(bolted), zero_rad=near, mounting=_askew(rng, spans.mounting_rad)
            )
        return cls(replace(bolted, latency_s=actuators.latency_s), actuators)

    def only(self, what: str) -> Build:
        """The nominal robot with a part of this one: `joints`, `imu`, `actuators`, or `nothing`."""
        plain, hidden = as_drawn(self.bolted), self.bolted
        if what == "joints":
            plain = replace(plain, sign=hidden.sign, zero_rad=hidden.zero_rad)
        if what == "imu":
            plain = replace(plain, mounting=hidden.mounting)
        return Build(plain, self.actuators if what == "actuators" else None)

    @property
    def options(self) -> TwinOptions:
        """Of its twin."""
        usual = TwinOptions()
        return usual if self.actuators is None else self.actuators.within(usual)

    @contextmanager
    def on_the_wire(self) -> Iterator[None]:
        """Let every quadruped's twin that is made meanwhile be this robot, once it is switched on.

        The counted turns are gone then, as when power comes on.
        """
        plain, build = twin_room.MinitaurTwin, self

        class Bolted(MinitaurTwin):
            """This robot."""

            def __init__(self, options: TwinOptions, ids: tuple[int, ...]) -> None:
                if build.actuators is not None:
                    options = build.actuators.within(options)
                # The product's twin is bolted as its calibration says; this one as it truly is.
                super().__init__(replace(options, bolts=None), ids, HiddenBank, HiddenVn100)
                bolt(self, replace(build.bolted, turns=np.zeros(8)))

        setattr(twin_room, "MinitaurTwin", Bolted)  # noqa: B010
        try:
            yield
        finally:
            setattr(twin_room, "MinitaurTwin", plain)  # noqa: B010


def as_drawn(hidden: Hidden) -> Hidden:
    """A robot bolted together exactly by the drawing; its stops are those of `hidden`."""
    return replace(
        hidden,
        sign=np.repeat([-1.0, 1.0], 4),
        zero_rad=np.full(8, OFFSET_RAD),
        turns=np.zeros(8),
        mounting=np.array([1.0, 0.0, 0.0, 0.0]),
        gyro_bias=np.zeros(3),
    )


def _askew(rng: np.random.Generator, most_rad: float) -> FloatArray:
    """A mounting, turned by up to `most_rad` about any axis."""
    axis, angle = rng.standard_normal(3), rng.uniform(0.0, most_rad)
    axis = axis / np.linalg.norm(axis)
    return np.array([math.cos(angle / 2), *(math.sin(angle / 2) * axis)])


def write_robot_file(path: Path, signs: FloatArray) -> None:
    """The nominal robot file, with `OFFSET_RAD` and these directions."""
    turns = iter(signs.astype(int).tolist())
    text = (Path(robosac.robots.__file__).parent / "minitaur.yaml").read_text(encoding="utf-8")
    path.write_text(
        re.sub(
            r"direction: -?1, offset_rad: 0\.0",
            lambda _: f"direction: {next(turns)}, offset_rad: {OFFSET_RAD}",
            text,
        ),
        encoding="utf-8",
    )


def write_drawn(folder: Path) -> None:
    """`drawn.yaml`: the robot file by the drawing."""
    write_robot_file(folder / "drawn.yaml", np.repeat([-1.0, 1.0], 4))


def settings(folder: Path, measured: bool) -> list[str]:
    """Overrides that drive the robot by what lies in `folder`, or by the drawings' numbers."""
    if measured:
        return [f"robot.file={folder / 'robot.yaml'}", f"robot.calibration={_file(folder)}"]
    return [f"robot.file={folder / 'drawn.yaml'}"]


def foretelling(folder: Path) -> list[str]:
    """Overrides of the twin that has the measured actuators and latency.

    Without joints and sensor: a twin's are always as drawn.
    """
    return [f"robot.calibration={folder / 'model.yaml'}"]


def _file(folder: Path) -> Path:
    return folder / "calibration.yaml"


def calibrate(build: Build, folder: Path, seed: int, memory: dict[str, Remembered]) -> None:
    """Let the routines find what is hidden: joints and sensor with hands, the rest by motion.

    Args:
        build: the robot.
        folder: gets `drawn.yaml`, `robot.yaml` with the measured directions, the calibration, and
            the part of it that a twin is made by.
        seed: of the person's hands.
        memory: the nominal twin, which remembers over robots.

    Raises:
        Undetermined, RobosacError: a routine refuses.
    """
    today = datetime.date.today().isoformat()
    write_drawn(folder)
    robot = HiddenRobot(build.bolted, np.random.default_rng([seed, 2]), build.options)
    drawn = robot.drawn_joints(jig=True)
    found = {joint.name: calibrate_joint(joint, drawn[joint.name]) for joint in robot.guided()}
    write_robot_file(folder / "robot.yaml", np.array([joint.sign for joint in found.values()]))
    file = load_robot_file(folder / "robot.yaml")
    devices = dict(zip(file.joint_names, robot.motor_tags(), strict=True))
    measured = parts.with_joints(calibration.nominal("minitaur"), file, found, devices, today)
    inertial = calibrate_imu(*robot.inertial())
    measured = parts.with_imu(measured, inertial, robot.sensor_tag(), today)
    save(_file(folder), measured)
    # The motions are the same for every robot, so that the nominal twin's are made once.
    with build.on_the_wire(), armed("minitaur", settings(folder, True), False, seed=1) as bench:
        recorded, late = record(bench), timed(step_joint(bench, STEPS))

    def moving(base: Calibration) -> Calibration:
        return parts.with_latency(base, late.bus, late.response, today, late.ages)

    measured, model = moving(measured), moving(calibration.nominal("minitaur"))
    twin, known = comparison(bench.config, bench.file, measured)
    nominal = memory.setdefault("minitaur", Remembered(twin))
    moved = identify(recorded.train, recorded.held_out, nominal, known)
    for path, base in ((_file(folder), measured), (folder / "model.yaml", model)):
        save(path, parts.with_actuators(base, known.names, moved, today))
