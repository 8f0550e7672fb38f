"""The hand's capsules: the same places as in MuJoCo's model, and inside its geoms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robosac.finger_keepout import FingersApart, HandGeometry, segment_distance
from robosac.tasks.turn_definitions import HOME, RANGE
from sim.claw_plant import ClawPlant
from sim.engine import mujoco

APART = FingersApart()
LOWER = np.tile([-0.5, -1.15, -1.65], 3)
UPPER = -LOWER


def pose(fingers: np.ndarray) -> np.ndarray:
    return np.append(fingers, 0.0)


@pytest.fixture(scope="module")
def plant() -> ClawPlant:
    return ClawPlant()


def place(plant: ClawPlant, fingers: np.ndarray) -> None:
    plant.data.qpos[:] = pose(fingers)
    mujoco.mj_forward(plant.model, plant.data)


@pytest.mark.parametrize("seed", range(5))
def test_links_are_where_mujoco_has_them(plant: ClawPlant, seed: int) -> None:
    fingers = np.random.default_rng(seed).uniform(LOWER, UPPER)
    place(plant, fingers)
    model, data, part = plant.model, plant.data, HandGeometry()
    mount = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, "mount")
    frame, origin = data.xmat[mount].reshape(3, 3), data.xpos[mount]
    starts, ends = APART.links(pose(fingers))
    for finger in range(3):
        for link, name in enumerate(("base", "middle", "tip")):
            body = data.body(f"{name}_{finger}")
            reach = part.tip if name == "tip" else part.body_end
            far = body.xpos + body.xmat.reshape(3, 3)[:, 2] * reach
            for point, ours in ((body.xpos, starts), (far, ends)):
                there = frame.T @ (point - origin)
                assert ours[finger, link] == pytest.approx(there, abs=1e-6)


def test_radii_are_those_of_the_model(plant: ClawPlant) -> None:
    part, model = HandGeometry(), plant.model
    for finger in range(3):
        assert part.pad_radius == pytest.approx(model.geom(f"tip_{finger}_pad").size[0])
        for link in ("base", "middle"):
            servo = model.geom(f"{link}_{finger}_servo")
            assert part.body_radius <= servo.size[:2].min() + 1e-9
            assert part.body_end + part.body_radius == pytest.approx(servo.pos[2] + servo.size[2])


def test_capsules_meet_no_sooner_than_the_real_ones(plant: ClawPlant) -> None:
    """Wherever MuJoCo sees no contact between fingers, the keep-out lets them be."""
    rng, checked = np.random.default_rng(0), 0
    for _ in range(400):
        fingers = rng.uniform(LOWER, UPPER)
        place(plant, fingers)
        names = [
            {plant.model.body(plant.model.geom(g).bodyid[0]).name for g in contact.geom}
            for contact in plant.data.contact
        ]
        touching = any(all(n[-1].isdigit() for n in pair) for pair in names)
        if touching:
            continue
        checked += 1
        assert (APART.clearance(pose(fingers))[:3] >= HandGeometry().press - 1e-9).all()
    assert checked > 100


def test_deep_interpenetration_is_inside(plant: ClawPlant) -> None:
    """Fingers that lean over into one another's middle are farther in than a press."""
    fingers = np.tile([0.0, 1.1, 0.0], 3)
    place(plant, fingers)
    assert plant.data.ncon > 0
    assert (APART.clearance(pose(fingers))[:3] < 0.0).any()


def test_home_and_turning_poses_are_clear() -> None:
    """Home, and ROBEL's range about the middle with all fingers doing the same."""
    assert (APART.clearance(pose(HOME)) > APART.slack).all()
    assert (APART.clearance(pose(np.zeros(9))) > APART.slack).all()
    for side in (-1.0, 1.0):
        sweep = np.tile([side * RANGE[0], 0.0, 0.0], 3)
        assert (APART.clearance(pose(sweep)) > APART.slack).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1e-4, 0.05))
def test_clearance_changes_no_faster_than_the_slack_allows(seed: int, step: float) -> None:
    rng = np.random.default_rng(seed)
    fingers = pose(rng.uniform(LOWER, UPPER))
    moved = fingers + pose(rng.choice([-step, 0.0, step], 9))
    change = np.abs(APART.clearance(moved) - APART.clearance(fingers))
    assert (change <= APART.slack * step / (APART.resolution / 2) + 1e-12).all()


def test_a_batch_equals_single_rows() -> None:
    rng = np.random.default_rng(1)
    rows = np.concatenate([rng.uniform(LOWER, UPPER, (20, 9)), np.zeros((20, 1))], axis=1)
    together = APART.clearance(rows)
    assert together.shape == (20, 6)
    for row, values in zip(rows, together, strict=True):
        assert APART.clearance(row) == pytest.approx(values, abs=1e-12)


def test_only_own_joints_change_a_clearance() -> None:
    rng = np.random.default_rng(2)
    fingers = pose(rng.uniform(LOWER, UPPER))
    before = APART.clearance(fingers)
    for joint in range(10):
        moved = fingers.copy()
        moved[joint] += 0.05
        changed = ~np.isclose(APART.clearance(moved), before, rtol=0.0, atol=1e-12)
        assert not (changed & ~APART.involved[:, joint]).any()


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_segment_distance_is_the_least_over_a_dense_grid(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b, c, d = rng.uniform(-1.0, 1.0, (4, 3))
    share = np.linspace(0.0, 1.0, 201)[:, None]
    first, second = a + share * (b - a), c + share * (d - c)
    grid = np.linalg.norm(first[:, None] - second[None], axis=-1).min()
    found = float(segment_distance(a, b, c, d))
    assert found <= grid + 1e-12
    assert found >= grid - 0.02


def test_parallel_segments() -> None:
    zero, up, aside = np.zeros(3), np.array([0.0, 0.0, 1.0]), np.array([0.3, 0.0, 0.0])
    assert segment_distance(zero, up, aside, aside + up) == pytest.approx(0.3)
    far = aside + 3.0 * up
    assert segment_distance(zero, up, far, far + up) == pytest.approx(math.hypot(0.3, 2.0))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: FingersApart(joints=8), "at least 9 joints"),
        (lambda: FingersApart(resolution=0.0), "resolution must be positive"),
        (lambda: HandGeometry(press=-0.001), "press must not be negative"),
        (lambda: HandGeometry(press=math.nan), "press must not be negative"),
        (lambda: HandGeometry(yaws=(0.0, 1.0)), "three fingers"),
    ],
)
def test_nonsense_is_refused(call, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        call()
