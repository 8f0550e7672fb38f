"""The hand's camera on the twin's clock, read as the robot reads it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from drivers.camera.frames import CameraFault, CameraFrame
from drivers.camera.settings import CameraControls, CameraSettings
from drivers.camera.stepped import SteppedCamera
from sim.camera_randomisation import CameraDraw, CameraRandomisation
from sim.camera_sensor import SensorSettings
from sim.claw_camera import ClawCamera, ClawCameraOptions
from sim.clock import VirtualClock
from sim.engine import mujoco
from tests.sim.test_ray_camera import CLAW, HOME

DT = 0.002
TICK = 0.01
SPEED = 2.0
"""Of the valve, rad/s."""
SETTINGS = CameraSettings(32, 32, 30.0, CameraControls(0.01, 20.0, 4600.0, 0.0), warm_up_frames=0)


class Rig:
    """A world in which only the valve turns, with a robot's camera."""

    def __init__(self, options: ClawCameraOptions | None = None, seed: int = 1) -> None:
        self.model = mujoco.MjModel.from_xml_path(str(CLAW))
        self.data = mujoco.MjData(self.model)
        self.data.qpos[:9] = HOME
        self.clock = VirtualClock(self._step, DT)
        self.camera = ClawCamera(
            self.model,
            self.data,
            self.clock.now,
            self.clock.wait_until,
            options or ClawCameraOptions(),
            np.random.default_rng(seed),
        )
        device = self.camera.device
        self.eye = SteppedCamera(device.open, SETTINGS, self.clock.now, device.ready)
        self.speed, self.begun = SPEED, 0.0

    def _step(self) -> None:
        self.data.qpos[9] = self.speed * (self.clock.now() - self.begun)
        self.camera.device.expose_due(self.clock.now())

    def tick(self) -> CameraFrame | None:
        before = self.clock.now() + TICK
        self.clock.wait_until(before)
        frame = self.eye.newest(self.clock.now())
        assert self.clock.now() == pytest.approx(before)
        return frame


def frames(rig: Rig, seconds: float) -> list[CameraFrame]:
    """Every frame that is shown, once."""
    shown = [rig.tick() for _ in range(round(seconds / TICK))]
    return list({frame.sequence: frame for frame in shown if frame is not None}.values())


def test_frames_show_the_scene_of_their_stamp_and_come_later() -> None:
    rig = Rig(ClawCameraOptions(sensor=SensorSettings.noiseless()))
    other = Rig()
    with rig.eye:
        taken = frames(rig, 1.0)
        assert len(taken) == pytest.approx(29, abs=1)
        assert rig.eye.status().host_stamped == 0
    for frame in taken:
        # The stamp is a step of the world, the first after the exposure was due.
        assert frame.time / DT == pytest.approx(round(frame.time / DT), abs=1e-6)
        other.data.qpos[9] = SPEED * frame.time
        np.testing.assert_array_equal(frame.image, other.camera.eye.render(other.data))
    assert np.diff([frame.time for frame in taken]) == pytest.approx(1 / 30, abs=DT)


def test_latency_and_jitter_delay_what_is_told() -> None:
    for latency, jitter in ((0.02, 0.0), (0.05, 0.0), (0.02, 0.03)):
        rig = Rig(ClawCameraOptions(latency_s=latency, jitter_s=jitter))
        ages: dict[int, float] = {}
        with rig.eye:
            for _ in range(200):
                frame = rig.tick()
                if frame is not None:
                    ages.setdefault(frame.sequence, rig.clock.now() - frame.time)
        first_seen = np.array(list(ages.values()))
        assert first_seen.min() >= latency - 1e-9
        assert first_seen.max() <= latency + jitter + TICK + 1e-9
        assert first_seen.mean() == pytest.approx(latency + jitter / 2 + TICK / 2, abs=0.006)


def test_two_equal_worlds_see_the_same_bits_and_a_third_does_not() -> None:
    options = ClawCameraOptions(jitter_s=0.01, randomisation=CameraRandomisation.mild())
    seen: list[list[CameraFrame]] = []
    for seed in (1, 1, 2):
        rig = Rig(options, seed)
        with rig.eye:
            seen.append(frames(rig, 0.5))
    for one, same, _ in zip(*seen, strict=False):
        assert (one.time, one.sequence) == (same.time, same.sequence)
        np.testing.assert_array_equal(one.image, same.image)
    assert (seen[0][0].image != seen[2][0].image).any()


def test_an_episode_depends_on_its_seed_and_not_on_those_before() -> None:
    options = ClawCameraOptions(jitter_s=0.01, randomisation=CameraRandomisation.mild())
    seen: list[list[CameraFrame]] = []
    for history in (0.11, 1.37):
        rig = Rig(options, seed=int(100 * history))
        with rig.eye:
            frames(rig, history)
            rig.camera.place(np.random.default_rng(5))
            rig.begun, first = rig.clock.now(), rig.eye.status().frames
            taken = [frame for frame in frames(rig, 0.5) if frame.sequence > first]
            seen.append([replace(frame, time=frame.time - rig.begun) for frame in taken])
    assert len(seen[0]) == len(seen[1]) > 10
    for one, other in zip(*seen, strict=True):
        assert one.time == pytest.approx(other.time, abs=1e-9)
        np.testing.assert_array_equal(one.image, other.image)


def test_a_hand_that_stands_still_is_not_taken_for_a_frozen_camera() -> None:
    rig = Rig()
    rig.speed = 0.0
    with rig.eye:
        taken = frames(rig, 2.0)
        status = rig.eye.status()
    assert len(taken) == pytest.approx(59, abs=1)
    assert (status.identical, status.fault) == (0, None)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("unplugged", CameraFault.UNPLUGGED),
        ("blocked", CameraFault.SILENT),
        ("frozen", CameraFault.FROZEN),
        ("black", CameraFault.BLACK),
        ("undecodable", CameraFault.DAMAGED),
    ],
)
def test_faults_end_the_frames_under_their_own_name(name: str, fault: CameraFault) -> None:
    rig = Rig()
    with rig.eye:
        frames(rig, 0.3)
        setattr(rig.camera.device.faults, name, True)
        began = rig.clock.now()
        frames(rig, 0.6)
        assert rig.tick() is None
        assert rig.eye.status().fault is fault
        setattr(rig.camera.device.faults, name, False)
        again = frames(rig, 1.5)
        assert again[-1].time > began + 1.5
        assert rig.eye.status().fault is None


def test_the_camera_is_drawn_anew_for_each_episode() -> None:
    rig = Rig(ClawCameraOptions(randomisation=CameraRandomisation.mild()))
    draws = []
    for seed in (3, 4, 3):
        rig.camera.place(np.random.default_rng(seed))
        draws.append((rig.camera.draw, rig.camera.device.expose(0.0)))
    assert draws[0][0] == draws[2][0] != draws[1][0]
    np.testing.assert_array_equal(draws[0][1], draws[2][1])
    rig = Rig()
    assert rig.camera.draw == CameraDraw()
    look = rig.camera.eye.look
    assert (look.shift_m, look.ambient) == ((0.0, 0.0, 0.0), ClawCameraOptions().look.ambient)


def test_a_lamp_turned_by_no_angle_is_where_it_was() -> None:
    nominal = ClawCameraOptions().look
    for lamp, kept in zip(Rig().camera.eye.look.lamps, nominal.lamps, strict=True):
        length = math.hypot(*kept.towards)
        assert lamp.towards == pytest.approx([part / length for part in kept.towards])
        assert lamp.strength == kept.strength
