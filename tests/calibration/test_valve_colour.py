"""The valve's coloured end in the pictures of the hand's twin."""

import math

import numpy as np
import pytest

from calibration.camera import Lens
from calibration.camera_pose import CameraPose
from calibration.errors import Undetermined
from calibration.valve_colour import Mark, check_mark, mark_masks, scaled
from sim.camera_sensor import Sensor, SensorSettings
from sim.claw_plant import MODEL_PATH
from sim.engine import mujoco
from sim.physics import load
from sim.ray_camera import CameraLook, RayCamera

SIDE = 240
PLACES = (0.0, 2.0 * math.pi / 3.0, 4.0 * math.pi / 3.0)


def pictures(look: CameraLook) -> tuple[list[np.ndarray], Lens, CameraPose]:
    model, data = load(MODEL_PATH, 0.002)
    mujoco.mj_forward(model, data)
    eye = RayCamera(model, "hand", SIDE, SIDE, look=look)
    sensor = Sensor(SensorSettings(), np.random.default_rng(0))
    focal = SIDE / 2.0 / math.tan(math.radians(22.5))
    middle = (SIDE - 1) / 2.0
    matrix = np.array([[focal, 0, middle], [0, focal, middle], [0, 0, 1.0]])
    lens = Lens((SIDE, SIDE), matrix, np.zeros(5), np.zeros((9, 9)))
    # MuJoCo's cameras look along -z, y up.
    rotation = data.cam_xmat[0].reshape(3, 3) @ np.diag([1.0, -1.0, -1.0])
    nothing = np.zeros((6, 6)), np.zeros((6, 9))
    pose = CameraPose(rotation, data.cam_xpos[0].copy(), 0.0, 0.0, *nothing, 0.0, 0.0, 4)
    joint = model.joint("valve").qposadr[0]
    images = []
    for angle in PLACES:
        data.qpos[joint] = angle
        images.append(sensor.expose(eye.radiance(data)))
    return images, lens, pose


def test_the_drawn_mark_is_where_it_should_be_and_stands_out() -> None:
    images, lens, pose = pictures(CameraLook())
    masks = [mark_masks(Mark(), angle, pose, lens) for angle in PLACES]
    whole = check_mark(images, *zip(*masks, strict=True))
    red, green, blue = whole.rgb
    assert red > 2.0 * green > 2.0 * blue
    assert whole.margin > 4.0
    assert whole.confused == 0.0
    small = [scaled(image, *mask, (32, 32)) for image, mask in zip(images, masks, strict=True)]
    found = check_mark(*zip(*small, strict=True))
    assert found.size == (32, 32)
    assert found.margin > 3.0


@pytest.mark.parametrize("colour", [(0.90, 0.90, 0.88), (0.22, 0.45, 0.66), (0.62, 0.64, 0.66)])
def test_a_mark_of_the_colour_of_something_else_is_refused(
    colour: tuple[float, float, float],
) -> None:
    images, lens, pose = pictures(CameraLook(colours={"lobe_0": colour}))
    masks = [mark_masks(Mark(), angle, pose, lens) for angle in PLACES]
    with pytest.raises(Undetermined, match="stands out by a factor"):
        check_mark(images, *zip(*masks, strict=True))


def test_a_mark_that_is_hardly_seen_is_refused() -> None:
    image, none = np.zeros((20, 20, 3), np.uint8), np.zeros((20, 20), np.bool_)
    with pytest.raises(Undetermined, match="places of the valve"):
        check_mark([image], [none], [none])
    with pytest.raises(Undetermined, match="0 px"):
        check_mark([image] * 2, [none] * 2, [none] * 2)
