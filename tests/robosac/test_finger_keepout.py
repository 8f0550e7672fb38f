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


def nearest(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> float:
    """Distance of two segments: the least of four ends to a segment, and inside of both."""

    def to_segment(point: np.ndarray, start: np.ndarray, end: np.ndarray) -> float:
        way = end - start
        share = min(1.0, max(0.0, float((point - start) @ way / (way @ way))))
        return float(np.linalg.norm(point - start - share * way))

    found = [to_segment(a, c, d), to_segment(b, c, d), to_segment(c, a, b), to_segment(d, a, b)]
    system = np.stack([b - a, c - d], axis=1)
    shares, *_ = np.linalg.lstsq(system, c - a, rcond=None)
    if (shares >= 0.0).all() and (shares <= 1.0).all():
        found.append(float(np.linalg.norm(system @ shares - (c - a))))
    return min(found)


def test_segment_distance_is_exact() -> None:
    corners = np.random.default_rng(3).uniform(-1.0, 1.0, (600, 4, 3))
    corners[300:, 2:] *= 0.3
    found = segment_distance(*corners.transpose(1, 0, 2))
    for four, distance in zip(corners, found, strict=True):
        assert distance == pytest.approx(nearest(*four), abs=1e-12)


@pytest.mark.parametrize("power", [-40, -20, 20, 40])
def test_the_distance_does_not_depend_on_the_unit_of_length(power: int) -> None:
    corners = np.random.default_rng(4).uniform(-1.0, 1.0, (4, 200, 3))
    corners[2:] *= 0.01
    scaled = segment_distance(*(corners * 2.0**power))
    assert (scaled == segment_distance(*corners) * 2.0**power).all()
    other = np.stack([corners[2], corners[3], corners[0], corners[1]])
    assert segment_distance(*other) == pytest.approx(segment_distance(*corners), abs=1e-12)


def test_crossing_and_touching_segments() -> None:
    zero, x, y = np.zeros(3), np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
    assert segment_distance(-x, x, -y, y) == 0.0
    assert segment_distance(zero, x, zero, y) == 0.0
    assert segment_distance(zero, x, x + y, 2.0 * x + y) == pytest.approx(1.0)


def turn(axis: int, angle: float) -> np.ndarray:
    """Rotation about x, y or z."""
    one, other = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[one, one] = matrix[other, other] = math.cos(angle)
    matrix[other, one], matrix[one, other] = math.sin(angle), -math.sin(angle)
    return matrix


Capsule = tuple[np.ndarray, np.ndarray, float]


def capsules_of(part: HandGeometry, finger: int, angles: np.ndarray) -> list[Capsule]:
    """Base, middle and tip link, joint after joint: ends and radius."""
    frame = turn(2, part.yaws[finger]) @ turn(2, math.pi) @ turn(1, angles[0])
    at = np.array(part.bases[finger]) + np.array([0.0, 0.0, part.hip])
    found: list[Capsule] = []
    lengths = (part.base, part.middle, part.tip)
    ends = (part.body_end, part.body_end, part.tip)
    radii = (part.body_radius, part.body_radius, part.pad_radius)
    for link, (length, end, radius) in enumerate(zip(lengths, ends, radii, strict=True)):
        if link:
            frame = frame @ turn(0, angles[link])
        found.append((at, at + frame[:, 2] * end, radius))
        at = at + frame[:, 2] * length
    return found


def clearance_of(part: HandGeometry, fingers: np.ndarray) -> list[float]:
    """Every pair of capsules, one by one."""
    hand = [capsules_of(part, finger, fingers[3 * finger :]) for finger in range(3)]
    found = [
        min(
            nearest(a, b, c, d) - one - other
            for a, b, one in hand[first]
            for c, d, other in hand[second]
        )
        for first, second in ((0, 1), (0, 2), (1, 2))
    ]
    near, far, height, radius = part.fixed_servo
    for finger in hand:
        away = [min(a[2], b[2]) - part.palm - own for a, b, own in finger[1:]]
        for base, yaw in zip(part.bases, part.yaws, strict=True):
            frame = turn(2, yaw)
            ends = (np.array(base) + frame @ [x, 0.0, height] for x in (near, far))
            servo = tuple(ends)
            away += [nearest(a, b, *servo) - own - radius for a, b, own in finger[1:]]
        found.append(min(away))
    return [value + part.press for value in found]


@pytest.mark.parametrize("part", [HandGeometry(), HandGeometry(press=0.0, hip=0.02, tip=0.09)])
def test_clearances_are_those_of_the_capsules_one_by_one(part: HandGeometry) -> None:
    """Also of fingers folded back onto the palm, where its servos are in the way."""
    rows = np.random.default_rng(5).uniform(-1.0, 1.0, (60, 10))
    rows[:, :9] *= np.tile([0.9, 2.2, 2.4], 3)
    apart = FingersApart(part)
    expected = np.array([clearance_of(part, row) for row in rows])
    assert apart.clearance(rows) == pytest.approx(expected, abs=1e-9)
    assert apart.clearance(rows.reshape(4, 15, 10)) == pytest.approx(
        expected.reshape(4, 15, 6), abs=1e-9
    )
    assert apart.clearances(rows.tolist()) == apart.clearance(rows).tolist()
    for row, values in zip(rows[:5], expected, strict=False):
        assert apart.clearance(row) == pytest.approx(values, abs=1e-9)
    assert (expected < part.press).any(axis=0).all(), "all six meet in some of these poses"


def test_servos_and_surface_of_the_palm_are_those_of_the_model(plant: ClawPlant) -> None:
    part, model = HandGeometry(), plant.model
    near, far, height, radius = part.fixed_servo
    assert part.palm == pytest.approx(model.geom("palm").size[1])
    for finger in range(3):
        servo = model.geom(f"finger_{finger}_servo")
        assert radius == pytest.approx(servo.size[2])
        assert height == pytest.approx(servo.pos[2])
        assert (near + far) / 2.0 == pytest.approx(servo.pos[0])
        assert (far - near) / 2.0 + radius == pytest.approx(servo.size[0])
        assert part.bases[finger] == pytest.approx(model.body(f"finger_{finger}").pos)


def test_the_slack_is_half_the_resolution_times_the_lever_arms_of_both_fingers() -> None:
    # 73 mm from the tip's axis, 141 from the middle's, 208.5 from the base's; twice.
    assert APART.slack == pytest.approx(0.845 * 0.005 / 2.0, rel=1e-12)
    assert APART.resolution == 0.005
    assert FingersApart(resolution=0.5).slack == pytest.approx(0.845 / 4.0, rel=1e-12)


@pytest.mark.parametrize("joints", [9, 10])
def test_three_joints_a_finger_are_involved(joints: int) -> None:
    involved = FingersApart(joints=joints).involved
    assert involved.dtype == np.bool_
    rows = ["110", "101", "011", "100", "010", "001"]
    expected = [[flag == "1" for flag in row for _ in range(3)] for row in rows]
    assert involved[:, :9].tolist() == expected
    assert involved.shape == (6, joints)
    assert not involved[:, 9:].any()
    assert FingersApart().involved.shape == (6, 10)


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
        (lambda: FingersApart(resolution=math.inf), "resolution must be positive"),
        (lambda: HandGeometry(press=math.inf), "press must not be negative"),
        (lambda: HandGeometry(bases=((0.0, 0.0, 0.0),) * 4, yaws=(0.0,) * 4), "three fingers"),
        (lambda: HandGeometry(press=-0.001), "press must not be negative"),
        (lambda: HandGeometry(press=math.nan), "press must not be negative"),
        (lambda: HandGeometry(yaws=(0.0, 1.0)), "three fingers"),
    ],
)
def test_nonsense_is_refused(call, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        call()
