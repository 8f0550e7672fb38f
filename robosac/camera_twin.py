"""A camera of the twin to be measured in a dry run: the same drivers, and a person with a board.

The twin's packages are imported inside the functions, for a robot's computer needs no simulator.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import numpy as np

from calibration import Calibration
from calibration.board import CELLS, PATCH, PATCH_SRGB, BoardSpec, Image
from calibration.camera import INTRINSICS, Lens
from calibration.camera_record import MeasuredCamera
from calibration.record import DeviceTag
from drivers.camera.stepped import SteppedCamera
from robosac.actuator_twin import filed_lens, measured_lens
from robosac.board_person import BoardPerson
from robosac.camera_fixture import load_camera_fixture
from robosac.camera_guiding import Controls, Eye, OpenEye
from robosac.camera_job import Asked, Job, Section, settings_at
from robosac.camera_truth import CameraTruth
from robosac.errors import CalibrationMismatch, ConfigError, RobotError
from robosac.robots.claw_file import ClawFile
from robosac.robots.measured_camera import HAND, TRACKER
from robosac.robots.robot_file import RobotFile
from robosac.robots.sections import CameraCalibration, Marker, TrackerSection
from robosac.robots.wiring import Wiring, check_calibration
from robosac.settings import ClawConfig, MinitaurConfig
from robosac.stage import load_calibration

if TYPE_CHECKING:
    from sim.board_hands import View
    from sim.camera_capture import RenderedCamera
    from sim.clock import Steppable
    from sim.lens import PlacedLens
    from sim.sheet import Sheet

PICTURE_S: Final = 5.0
"""How long a picture is waited for."""
STEP_S: Final = 0.002
"""Of that wait."""
CELL_PX: Final = 12
"""Of the printed sheet; a square has `CELLS` along each side."""
MARGIN_SQUARES: Final = 1.0
"""White around the chessboard, at least as wide as the grey patch."""
SEED: Final = 8
"""Of the sensor's noise and of how exactly hands do what they are asked."""
AWAY_RAD: Final = (0.0, -1.8, 0.0) * 3
"""The hand's fingers where its camera does not see them; farther than they go by themselves."""
TAG: Final = DeviceTag(model="twin", serial=None)
NOMINAL_TRACKER: Final = TrackerSection(
    camera="twin",
    size=(1280, 720),
    fps=60.0,
    exposure_s=0.004,
    white_balance_k=4600.0,
    marker=Marker(id=7, side_m=0.12, height_m=0.25),
    calibration=CameraCalibration(
        matrix=((910.0, 0.0, 640.0), (0.0, 910.0, 360.0), (0.0, 0.0, 1.0)),
        distortion=(0.0, 0.0, 0.0, 0.0, 0.0),
        rotation=((0.0, -1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
        position=(0.0, 0.0, 2.5),
    ),
)
"""Of a robot file that describes none: the example of robots/minitaur.yaml."""


class TwinEye:
    """The twin's camera, opened; see `robosac.camera_guiding.Eye`. Waiting makes its world go on.

    Args:
        camera: open.
        clock: the twin's.
        person: is told of each picture.
    """

    def __init__(self, camera: SteppedCamera, clock: Steppable, person: BoardPerson) -> None:
        self._camera, self._clock, self._person = camera, clock, person
        self._sequence = 0

    @property
    def now(self) -> float:
        return self._clock.now()

    def picture(self) -> Image:
        deadline = self.now + PICTURE_S
        while self.now < deadline:
            frame = self._camera.newest(self.now)
            if frame is not None and frame.sequence > self._sequence:
                self._sequence = frame.sequence
                self._person.pictured()
                return frame.image
            self._clock.wait_until(self.now + STEP_S)
        status = self._camera.status()
        raise RobotError(f"no picture for {PICTURE_S:g} s: {status.detail or status.state.value}")


def hand_job(asked: Asked, config: ClawConfig, file: ClawFile) -> tuple[Job, CameraTruth]:
    """The hand's camera of the twin, and what it truly is.

    Raises:
        ConfigError: the robot file or a calibration is wrong, or describes no camera.
        CalibrationMismatch: it was measured at another resolution, or on another robot.
    """
    from robosac.assembly_claw import sensor_settings
    from sim.claw import ClawOptions, ClawTwin
    from sim.claw_camera import ClawCameraOptions
    from sim.claw_plant import VALVE
    from sim.hands import hands_at
    from sim.ray_camera import CameraLook
    from sim.room_light import RoomLight

    section = file.camera
    if section is None:
        raise ConfigError(f"the robot file of {file.name} describes no such camera")
    measured = _measured(config, file).cameras.get(HAND)
    placed = None if measured is None else _placed(measured, section)
    options = ClawCameraOptions(
        size=section.size,
        fps=section.fps,
        latency_s=config.twin.camera.latency_s,
        sensor=sensor_settings(config.twin.camera),
        look=CameraLook(placed=placed),
        light=RoomLight(section.exposure_s, section.white_balance_k),
    )
    try:
        twin = ClawTwin(ClawOptions(camera=options))
    except ValueError as error:
        raise ConfigError(f"the twin's camera: {error}") from error
    camera = twin.camera
    assert camera is not None
    twin.hang(SEED)
    hands = hands_at(twin)
    # Out of the picture, where nothing hides the board.
    hands.posture_rad[:VALVE] = AWAY_RAD
    hands.settle()
    placed = placed or camera.eye.as_drawn(section.size)
    person = _person(asked, camera.eye, placed, lambda angle: hands.bring(VALVE, angle))
    open_eye = _opener(section, camera.device, twin.clock, person)
    return _job(asked, HAND, file, section, person, open_eye), _truth(placed)


def tracker_job(asked: Asked, config: MinitaurConfig, file: RobotFile) -> tuple[Job, CameraTruth]:
    """An overhead camera above the twin's floor, and what it truly is.

    It is as a calibration says, or else as the robot file does, or else as `NOMINAL_TRACKER`.

    Raises:
        as `hand_job`.
    """
    from sim.clock import VirtualClock
    from sim.floor_view import FloorView, floor_camera
    from sim.room_light import RoomLight

    section = file.tracker or NOMINAL_TRACKER
    measured = _measured(config, file).cameras.get(TRACKER)
    placed = filed_lens(section) if measured is None else _placed(measured, section)
    light = RoomLight(section.exposure_s, section.white_balance_k)
    try:
        view = FloorView(placed, light, np.random.default_rng(SEED))
    except ValueError as error:
        raise ConfigError(f"the twin's camera: {error}") from error
    clock = VirtualClock(lambda: None, 1e-3)
    device = floor_camera(view, section.size, section.fps, clock.now, clock.wait_until)
    person = _person(asked, view, placed, None)
    open_eye = _opener(section, device, clock, person)
    return _job(asked, TRACKER, file, section, person, open_eye), _truth(placed)


def printed(spec: BoardSpec) -> Sheet:
    """The board with its grey patch and its margins, for the twin's world."""
    from sim.sheet import Sheet

    square = CELLS * CELL_PX
    margin = round(MARGIN_SQUARES * square)
    board = np.kron(spec.cells(), np.ones((CELL_PX, CELL_PX), np.uint8))
    picture = np.pad(board, margin, constant_values=255)
    lower = margin + board.shape[0]
    left, bottom, right, top = (round(edge * square) for edge in PATCH)
    picture[lower - top : lower - bottom, margin + left : margin + right] = PATCH_SRGB
    edge = MARGIN_SQUARES * spec.square_m
    return Sheet(picture, -edge, spec.size_m[1] + edge, spec.square_m / square)


def _measured(config: ClawConfig | MinitaurConfig, file: Wiring) -> Calibration:
    robot = "claw" if isinstance(config, ClawConfig) else "minitaur"
    measured = load_calibration(config.robot.calibration, robot)
    check_calibration(file, measured)
    return measured


def _person(
    asked: Asked, view: View, placed: PlacedLens, turn_valve: Callable[[float], None] | None
) -> BoardPerson:
    """Somebody with the printed board, who knows the fixture."""
    from sim.board_hands import CROWDED, FREE, BoardHands

    rng = np.random.default_rng(SEED)
    board = BoardHands(
        view,
        placed,
        printed(asked.board),
        asked.board.size_m,
        rng,
        FREE if turn_valve is None else CROWDED,
    )
    place = load_camera_fixture(asked.fixture).board.place
    origin, *ends = place.of(np.vstack([np.zeros(3), np.eye(3)]))
    return BoardPerson(board, (np.array(ends) - origin).T, origin, turn_valve, rng)


def _job(
    asked: Asked,
    name: str,
    file: ClawFile | RobotFile,
    section: Section,
    person: BoardPerson,
    open_eye: OpenEye,
) -> Job:
    return Job(
        name=name,
        file=file,
        section=section,
        device=TAG,
        fixture=load_camera_fixture(asked.fixture),
        spec=asked.board,
        person=person,
        progress=person.progress,
        open_eye=open_eye,
        keep_controls=asked.keep_controls,
    )


def _opener(
    section: Section, device: RenderedCamera, clock: Steppable, person: BoardPerson
) -> OpenEye:
    @contextmanager
    def opened(controls: Controls) -> Iterator[Eye]:
        # A stream in virtual time is asked for each picture, so none could be waited for.
        settings = dataclasses.replace(settings_at(section, controls), warm_up_frames=0)
        camera = SteppedCamera(device.open, settings, clock.now, device.ready).open()
        try:
            yield TwinEye(camera, clock, person)
        finally:
            camera.close()

    return opened


def _placed(measured: MeasuredCamera, section: Section) -> PlacedLens:
    """A camera as it was measured. Raises CalibrationMismatch: at another resolution."""
    if measured.size != section.size:
        raise CalibrationMismatch(
            f"the camera was calibrated at {measured.size[0]} by {measured.size[1]} px, but the"
            f" robot file's size is {section.size[0]} by {section.size[1]}; correct it"
        )
    return measured_lens(measured)


def _truth(placed: PlacedLens) -> CameraTruth:
    """As the routines write cameras."""
    (fx, fy), (cx, cy) = placed.lens.focal_px, placed.lens.centre_px
    matrix = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    unknown = np.zeros((INTRINSICS, INTRINSICS))
    lens = Lens(placed.lens.size, matrix, np.array(placed.lens.distortion), unknown)
    return CameraTruth(lens, np.array(placed.axes).T, np.array(placed.position_m))
