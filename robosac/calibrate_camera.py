"""`robosac calibrate camera` and `tracker`: a camera, a printed board, a person, and a file.

Only the camera is opened: no motor, no port. The file is written at the very end, so that Ctrl-C
leaves everything as it was.
"""

from __future__ import annotations

import dataclasses
import datetime
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO

import cv2
import msgspec
import numpy as np

from calibration.board import Image
from calibration.camera import FAR, NEAR
from calibration.record import DeviceTag, Evidence
from calibration.valve_colour import Mark
from drivers.camera.device import Camera
from drivers.camera.identity import camera_identity
from drivers.camera.settings import CaptureFactory
from drivers.errors import DriverError
from robosac.calibrate_robot import ConsolePerson
from robosac.camera_fixture import load_camera_fixture
from robosac.camera_guiding import (
    Controls,
    Eye,
    guide_board_pose,
    guide_controls,
    guide_floor,
    guide_lens,
    guide_mark,
)
from robosac.camera_job import Asked, Job, Section, settings_at
from robosac.camera_path import camera_at
from robosac.camera_report import CameraFindings, write_report
from robosac.camera_truth import CameraTruth, compare
from robosac.config import load_preset
from robosac.errors import ConfigError, RobotError
from robosac.robots.claw_file import CameraSection, ClawFile, load_claw_file
from robosac.robots.measured_camera import (
    HAND,
    TRACKER,
    CameraControlsAsSet,
    camera_evidence,
    measured_camera,
    with_camera,
)
from robosac.robots.robot_file import RobotFile, load_robot_file
from robosac.settings import ClawConfig, MinitaurConfig
from robosac.stage import SERIAL

PICTURE_S: Final = 5.0
"""How long a picture is waited for."""
LONGEST_SHARE: Final = 0.9
"""Of a picture's period, for the hand's camera's exposure."""
LONGEST_TRACKER_S: Final = 0.006
"""A walking robot's marker smears by 3 mm in this at 0.5 m/s."""


class CameraEye:
    """An open camera at full resolution; see `robosac.camera_guiding.Eye`."""

    def __init__(self, camera: Camera, clock: Callable[[], float]) -> None:
        self._camera, self._clock, self._sequence = camera, clock, 0

    @property
    def now(self) -> float:
        return self._clock()

    def picture(self) -> Image:
        frame = self._camera.wait_newer(self._sequence, PICTURE_S)
        if frame is None:
            status = self._camera.status()
            raise RobotError(
                f"no picture for {PICTURE_S:g} s: {status.detail or status.state.value}"
            )
        self._sequence = frame.sequence
        return frame.image


class GuidedConsole(ConsolePerson):
    """Whoever sits at the console, with a line of progress that is written over on a terminal.

    Args:
        source, sink: as `ConsolePerson`.
    """

    def __init__(self, source: TextIO = sys.stdin, sink: TextIO = sys.stderr) -> None:
        super().__init__(source, sink)
        self._screen, self._last, self._open = sink, "", False

    def ask(self, line: str) -> None:
        """See `ConsolePerson`."""
        self._end()
        super().ask(line)

    def tell(self, line: str) -> None:
        """See `ConsolePerson`."""
        self._end()
        super().tell(line)

    def progress(self, line: str) -> None:
        """How far it is; the same line is told once."""
        if line == self._last:
            return
        self._last = line
        self._open = self._screen.isatty()
        self._screen.write(f"\r\x1b[K{line}" if self._open else f"{line}\n")
        self._screen.flush()

    def _end(self) -> None:
        if self._open:
            self._screen.write("\n")
        self._open, self._last = False, ""


def calibrate(asked: Asked, name: str) -> dict[str, object]:
    """Measure the camera `name` (hand or tracker) and write it into `asked.target`.

    Returns:
        The document that a machine is told.

    Raises:
        ConfigError: a setting, a file or the camera is wrong. RobotError: it was refused.
        CalibrationMismatch: the file is another robot's.
    """
    target = asked.target
    job, truth = _job(asked, name)
    base = target.base(job.file)
    findings, controls, evidence = measure(job)
    camera = measured_camera(
        findings.lens, findings.pose, job.device, controls, datetime.date.today().isoformat()
    )
    compared = None if truth is None else compare(findings, truth)
    known = () if compared is None else compared.rows
    report = write_report(target.beside, name, findings, camera, evidence, known)
    target.write(with_camera(base, name, camera, evidence))
    told: dict[str, object] = {
        "camera": name,
        "file": str(target.out),
        "report": str(report),
        "measured": msgspec.to_builtins(camera),
        "evidence": msgspec.to_builtins(evidence),
        "dry_run": target.dry,
    }
    if compared is not None:
        for line in compared.lines:
            job.person.tell(line)
        told["twin"] = dataclasses.asdict(compared)
    job.person.tell(f"page: {report}")
    if compared is None:
        _tell_controls(job, controls)
    job.person.tell(target.closing)
    return told


def measure(job: Job) -> tuple[CameraFindings, CameraControlsAsSet, Evidence]:
    """Everything that is found of one camera.

    Raises:
        RobotError: a part was refused too often, or no picture comes.
    """
    section, person, spec = job.section, job.person, job.spec
    controls = Controls(section.exposure_s, section.white_balance_k)
    if not job.keep_controls:
        longest = LONGEST_SHARE / section.fps if job.name == HAND else LONGEST_TRACKER_S
        controls, _ = guide_controls(person, job.open_eye, spec, controls, longest)
        person.tell(f"exposure {1e3 * controls.exposure_s:.1f} ms{_kelvin(controls)}")
    goal = NEAR if job.name == HAND else FAR
    more: dict[str, float] = {}
    with job.open_eye(controls) as eye:
        lens = guide_lens(person, eye, spec, section.size, goal, job.progress)
        person.tell(
            f"lens: reprojection {lens.rms_px:.3f} px, focal length known to"
            f" {lens.uncertain_focal:.3%}"
        )
        if isinstance(section, CameraSection):
            pose = guide_board_pose(person, eye, spec, job.fixture.board.place, lens)
            drawn = job.fixture.mark
            mark = Mark() if drawn is None else drawn.mark
            whole, small = guide_mark(person, eye, mark, pose, lens, section.picture)
            more = {"mark_margin": whole.margin, "mark_margin_in_policy_picture": small.margin}
            findings = CameraFindings(lens, pose, None, (whole, small))
        else:
            floor = guide_floor(person, eye, spec, job.fixture.board.place, lens)
            more = {"worst_shape_mm": 1e3 * max(floor.shape_m)}
            findings = CameraFindings(lens, floor.pose, floor, ())
    person.tell(
        f"place: {np.round(findings.pose.position_m, 4).tolist()} m, known to"
        f" {1e3 * findings.pose.uncertain_m:.2f} mm"
    )
    used = CameraControlsAsSet(
        controls.exposure_s, section.gain, controls.white_balance_k, section.focus
    )
    return findings, used, camera_evidence(lens, findings.pose, more)


def _job(asked: Asked, name: str) -> tuple[Job, CameraTruth | None]:
    """What is to be measured; for a dry run also what it truly is, which no routine sees."""
    config = load_preset(asked.preset, asked.overrides)
    if name == HAND and isinstance(config, ClawConfig):
        return _hand_job(asked, asked.target.robot(config))
    if name == TRACKER and isinstance(config, MinitaurConfig):
        return _tracker_job(asked, asked.target.robot(config))
    valid = "claw or claw-pixels" if name == HAND else "minitaur"
    raise ConfigError(f"{asked.preset} has no camera of that kind; valid is {valid}")


def _hand_job(asked: Asked, config: ClawConfig) -> tuple[Job, CameraTruth | None]:
    file = load_claw_file(config.robot.file)
    if asked.target.dry:
        from robosac.camera_twin import hand_job

        return hand_job(asked, config, file)
    path = None if file.camera is None else file.camera.path
    return _metal_job(asked, HAND, config.robot.address, file, file.camera, path), None


def _tracker_job(asked: Asked, config: MinitaurConfig) -> tuple[Job, CameraTruth | None]:
    file = load_robot_file(config.robot.file)
    if asked.target.dry:
        from robosac.camera_twin import tracker_job

        return tracker_job(asked, config, file)
    path = None if file.tracker is None else file.tracker.camera
    return _metal_job(asked, TRACKER, config.robot.address, file, file.tracker, path), None


def _metal_job(
    asked: Asked,
    name: str,
    address: str,
    file: ClawFile | RobotFile,
    section: Section | None,
    path: str | None,
) -> Job:
    """Of a camera that is plugged in."""
    if address != SERIAL:
        raise ConfigError(
            f"robot.address is {address!r}, and nobody can hold a board before a twin's camera;"
            f" valid is {SERIAL}, or --dry-run, which has hands for that"
        )
    if section is None or path is None:
        raise ConfigError(f"the robot file of {file.name} describes no such camera")
    found = camera_identity(path)
    if found is None:
        raise ConfigError(f"camera {path} is not there; ls -l /dev/v4l/by-id")
    factory = camera_at(path, section.power_line_hz, section.dynamic_framerate)
    person = GuidedConsole()
    return Job(
        name=name,
        file=file,
        section=section,
        device=DeviceTag(model=found.model, serial=found.serial),
        fixture=load_camera_fixture(asked.fixture),
        spec=asked.board,
        person=person,
        progress=person.progress,
        open_eye=lambda controls: opened_eye(section, factory, controls),
        keep_controls=asked.keep_controls,
    )


@contextmanager
def opened_eye(section: Section, factory: CaptureFactory, controls: Controls) -> Iterator[Eye]:
    """The camera of a robot file with these controls, at full resolution; closed at the end.

    Raises:
        ConfigError: it cannot be opened, or does not keep its settings; in one line.
    """
    try:
        camera = Camera(factory, settings_at(section, controls), time.monotonic)
        cv2.setNumThreads(1)
        camera.open()
    except (DriverError, ValueError) as error:
        detail = " ".join(str(error).split())
        raise ConfigError(f"camera: {detail}") from error
    try:
        yield CameraEye(camera, time.monotonic)
    finally:
        camera.close()


def _kelvin(controls: Controls) -> str:
    return "" if controls.white_balance_k is None else f", {controls.white_balance_k:.0f} K"


def _tell_controls(job: Job, controls: CameraControlsAsSet) -> None:
    """What the robot file must say, where it says something else: else it is not armed."""
    for name in ("exposure_s", "white_balance_k"):
        found, filed = getattr(controls, name), getattr(job.section, name)
        if found != filed:
            job.person.tell(
                f"set {name} to {found:g} in the robot file, which says {filed:g}: the camera was"
                " measured so, and the robot is not armed otherwise"
            )
