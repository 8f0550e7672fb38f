"""The hand in MuJoCo: what it weighs, how it is built, what may touch what."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from sim.claw_plant import HOME_RAD, JOINT_NAMES, VALVE, ClawPlant
from sim.claw_randomisation import ClawDraw
from sim.claw_servo import IDENTIFIED, PRESETS, ROBEL, XH430, ServoPreset
from sim.physics import PlantDiverged
from sim.servo_joint import ServoPlant

DT = 0.002
NO_TORQUE = np.zeros(10)
SHAFTS_AT_ZERO = [math.pi / 2, math.pi, math.pi] * 3 + [math.pi]


@pytest.fixture
def plant() -> ClawPlant:
    return ClawPlant()


def run(plant: ClawPlant, torque: np.ndarray, seconds: float) -> None:
    for _ in range(round(seconds / DT)):
        plant.step(torque, DT)


def tip_by_hand(finger: int, base: float, middle: float, tip: float) -> np.ndarray:
    """Where a finger's tip is, m, from the published lengths alone.

    In the finger's own frame x is along the palm's tangent, y outward, z down from the palm.
    """
    down = 0.0675 + 0.068 * math.cos(middle) + 0.076 * math.cos(middle + tip)
    outward = -(0.068 * math.sin(middle) + 0.076 * math.sin(middle + tip))
    along = down * math.sin(base)
    height = 0.335 - 0.003 - 0.01425 - down * math.cos(base)
    azimuth = math.radians((60.0, -60.0, 180.0)[finger])
    foot = ((0.03, 0.052), (0.03, -0.052), (-0.06, 0.0))[finger]
    # A positive base angle takes a finger counter-clockwise round the valve, seen from above.
    return np.array(
        [
            foot[0] + outward * math.cos(azimuth) - along * math.sin(azimuth),
            foot[1] + outward * math.sin(azimuth) + along * math.cos(azimuth),
            height,
        ]
    )


def test_masses_are_those_of_the_provenance_table(plant: ClawPlant) -> None:
    model = plant.model
    for finger in range(3):
        assert model.body(f"finger_{finger}").mass[0] == pytest.approx(0.093)
        assert model.body(f"base_{finger}").mass[0] == pytest.approx(0.105)
        assert model.body(f"middle_{finger}").mass[0] == pytest.approx(0.105)
        assert model.body(f"tip_{finger}").mass[0] == pytest.approx(0.032)
    # Density 1000: three capsules of radius 21 mm and length 70 mm, a hub of 20 mm and 55 mm.
    capsule = math.pi * 0.021**2 * 0.07 + 4 / 3 * math.pi * 0.021**3
    valve = 1000 * (3 * capsule + math.pi * 0.02**2 * 0.055)
    assert model.body("valve").mass[0] == pytest.approx(valve, rel=1e-6)


def test_fingertips_are_where_the_published_lengths_put_them(plant: ClawPlant) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        fingers = rng.uniform(-0.45, 0.45, 9) * np.tile([1.0, 2.0, 2.0], 3)
        plant.reset(fingers)
        for finger in range(3):
            expected = tip_by_hand(finger, *fingers[3 * finger : 3 * finger + 3])
            found = plant.data.site(f"tip_{finger}").xpos
            np.testing.assert_allclose(found, expected, atol=2e-6)


def test_limits_are_the_published_ones_and_the_valve_has_none(plant: ClawPlant) -> None:
    model = plant.model
    ranges = {"base": (-0.45, 1.35), "middle": (-2.0, 2.0), "tip": (-2.0, 2.0)}
    for name in JOINT_NAMES[:VALVE]:
        joint = model.joint(name)
        assert joint.limited[0] == 1
        assert tuple(joint.range) == ranges[name.split("_")[0]]
    assert model.joint("valve").limited[0] == 0
    plant.reset(valve_rad=30.0)
    assert plant.valve_angle == 30.0
    assert plant.contacts == frozenset()


def test_shafts_begin_where_the_calibration_says(plant: ClawPlant) -> None:
    plant.reset(np.zeros(9), 0.0)
    np.testing.assert_allclose(plant.position, SHAFTS_AT_ZERO)
    plant.reset()
    np.testing.assert_allclose(plant.position - SHAFTS_AT_ZERO, [*HOME_RAD, 0.0])
    shafts: ServoPlant = plant
    assert not shafts.position.flags.writeable
    assert not shafts.velocity.flags.writeable


def test_shafts_keep_up_with_the_joints(plant: ClawPlant) -> None:
    run(plant, np.linspace(-0.3, 0.4, 10), 0.1)
    np.testing.assert_array_equal(plant.position, plant.joint_position + plant._offset)
    np.testing.assert_array_equal(plant.velocity, plant.data.qvel)
    assert np.abs(plant.velocity).max() > 0.1


def test_joint_angles_and_torques_count_the_same_way(plant: ClawPlant) -> None:
    for index in range(10):
        plant.reset()
        torque = np.zeros(10)
        torque[index] = 0.5
        plant.step(torque, DT)
        assert np.argmax(plant.velocity) == index
        assert plant.velocity[index] > 0.0


def test_coloured_lobe_points_right_at_zero_and_turns_counter_clockwise(plant: ClawPlant) -> None:
    for angle, direction in ((0.0, (0.0, 1.0)), (math.pi / 2, (-1.0, 0.0)), (7.0, None)):
        plant.reset(valve_rad=angle)
        expected = direction or (-math.sin(angle), math.cos(angle))
        place = plant.data.geom("lobe_0").xpos
        np.testing.assert_allclose(place[:2], 0.038 * np.array(expected), atol=1e-9)
        assert place[2] == pytest.approx(0.0101 + 0.038 + 0.054)


def test_fixed_camera_looks_at_the_valve_from_the_front(plant: ClawPlant) -> None:
    camera = plant.data.camera("hand")
    eye, axes = camera.xpos, camera.xmat.reshape(3, 3)
    np.testing.assert_allclose(eye, [0.213, 0.004, 0.320])
    forward = np.array([0.02, 0.004, 0.09]) - eye
    np.testing.assert_allclose(-axes[:, 2], forward / np.linalg.norm(forward), atol=1e-3)
    np.testing.assert_allclose(axes[:, 0], [0.0, 1.0, 0.0], atol=1e-9)
    assert plant.model.camera("hand").fovy[0] == 45.0


def test_nothing_touches_at_home_wherever_the_valve_is(plant: ClawPlant) -> None:
    for angle in np.linspace(-math.pi, math.pi, 61):
        plant.reset(valve_rad=float(angle))
        assert plant.contacts == frozenset()


def test_a_lone_finger_touches_nothing_in_its_whole_range(plant: ClawPlant) -> None:
    """Neighbours that overlap by design do not count; the other fingers are out of the way."""
    for base in np.linspace(-0.45, 0.45, 5):
        for middle in np.linspace(-1.05, 0.0, 5):
            for tip in np.linspace(0.0, 1.57, 5):
                plant.reset([base, middle, tip, *HOME_RAD[3:]])
                own = [pair for pair in plant.contacts if all("_0" in name for name in pair)]
                assert not [pair for pair in own if "lobe_0" not in pair]


def test_fingers_may_touch_one_another_the_valve_and_the_floor(plant: ClawPlant) -> None:
    plant.reset([0.0, 1.0, -1.0] * 3)
    bodies = {
        frozenset(name.split("_")[1] for name in pair if name.split("_")[0] in ("middle", "tip"))
        for pair in plant.contacts
    }
    assert frozenset("01") in bodies
    assert frozenset("12") in bodies
    plant.reset([0.0] * 9, 0.0)
    touched = {name for pair in plant.contacts for name in pair}
    assert any(name.startswith("tip") for name in touched)
    assert any(name.startswith("lobe") for name in touched)


def test_plastic_slides_with_its_published_friction_on_whatever_it_meets(plant: ClawPlant) -> None:
    """The pair's friction is the larger one unless the other side has the higher priority."""
    plant.reset([0.0] * 9, 0.0)
    frictions: dict[tuple[str, str], float] = {}
    for contact in plant.data.contact:
        names = [plant.model.geom(geom).name for geom in contact.geom]
        frictions[(names[0], names[1])] = float(contact.friction[0])
    plastic = [
        friction
        for names, friction in frictions.items()
        if any("pad" in name or "lobe" in name for name in names)
    ]
    assert plastic
    assert set(plastic) == {0.2}
    plant.model.body("mount").pos[2] -= 0.14
    plant.reset()
    floor = [float(contact.friction[0]) for contact in plant.data.contact if 0 in contact.geom]
    assert floor == [0.2] * 3


def test_presets_set_what_hangs_on_the_shafts() -> None:
    robel, identified = ClawPlant(preset=ROBEL).model, ClawPlant(preset=IDENTIFIED).model
    np.testing.assert_allclose(robel.dof_damping, 0.1)
    np.testing.assert_allclose(robel.dof_armature, 0.001)
    np.testing.assert_allclose(identified.dof_armature[:VALVE], 0.045)
    np.testing.assert_allclose(identified.dof_frictionloss, 0.03)
    # 1.084 less the back-EMF of an XH430-V210: (2.6 / 24) * (24 / 5.445) N m s/rad.
    np.testing.assert_allclose(identified.dof_damping[:VALVE], 1.084 - 2.6 / 5.445, rtol=1e-3)
    np.testing.assert_allclose(identified.dof_damping[VALVE], 0.1)


@pytest.mark.parametrize("preset", PRESETS)
def test_no_energy_comes_from_nowhere(preset: str) -> None:
    plant = ClawPlant(preset=PRESETS[preset])
    plant.model.opt.enableflags |= 2  # mjENBL_ENERGY
    plant.reset([0.4, -0.1, 0.1] * 3, 0.3)
    plant.data.qvel[VALVE] = 3.0
    plant.step(NO_TORQUE, DT)
    energies = []
    for _ in range(1000):
        plant.step(NO_TORQUE, DT)
        energies.append(float(plant.data.energy.sum()))
    assert np.diff(energies).max() < 1e-5
    assert energies[-1] < energies[0]


@pytest.mark.parametrize(("preset", "most_m"), [(IDENTIFIED, 0.003), (XH430, 0.006)])
def test_wild_motion_keeps_contacts_shallow(preset: ServoPreset, most_m: float) -> None:
    """Random goals at 10 Hz for 5 s, held as stiffly as the firmware would, with stall torque."""
    plant, rng = ClawPlant(preset=preset), np.random.default_rng(0)
    goal, deepest, met = NO_TORQUE, 0.0, set()
    for step in range(2500):
        if step % 50 == 0:
            reach = [0.48, math.pi / 3, math.pi / 2] * 3 + [0.0]
            goal = rng.uniform(-1.0, 1.0, 10) * reach
        torque = 21.1 * (goal - plant.joint_position) - 0.4775 * plant.velocity
        torque[VALVE] = 0.0
        plant.step(np.clip(torque, -2.6, 2.6), DT)
        if plant.data.ncon:
            deepest = min(deepest, float(plant.data.contact.dist.min()))
            met |= set(plant.data.contact.geom.ravel().tolist())
    assert -most_m < deepest < 0.0
    assert not plant.data.warning.number.any()
    names = {plant.model.geom(geom).name for geom in met}
    assert {"lobe_0", "tip_0_pad", "tip_1_pad", "tip_2_pad"} <= names
    assert abs(plant.valve_angle) > 0.3


def test_valve_rests_without_torque_and_turns_freely(plant: ClawPlant) -> None:
    plant.reset(valve_rad=1.0)
    run(plant, NO_TORQUE, 1.0)
    assert plant.valve_angle == pytest.approx(1.0, abs=1e-9)
    torque = np.zeros(10)
    torque[VALVE] = 0.13
    run(plant, torque, 10.0)
    # (0.13 - 0.03) N m against 0.1 N m s/rad, beyond a whole turn and without a stop.
    assert plant.velocity[VALVE] == pytest.approx(1.0, rel=1e-2)
    assert plant.valve_angle > 2 * math.pi + 1.0


def test_jammed_valve_does_not_turn(plant: ClawPlant) -> None:
    torque = np.zeros(10)
    torque[VALVE] = 2.6
    plant.jam_valve(True)
    run(plant, torque, 1.0)
    assert abs(plant.valve_angle) < 2e-3
    plant.apply(ClawDraw())
    plant.reset()
    run(plant, torque, 0.2)
    assert abs(plant.valve_angle) < 1e-3
    plant.jam_valve(False)
    assert plant.model.dof_damping[VALVE] == pytest.approx(0.1)
    run(plant, torque, 0.2)
    assert plant.valve_angle > 0.5


def test_gear_passes_on_no_more_than_stall_torque(plant: ClawPlant) -> None:
    plant.step(np.full(10, 50.0), DT)
    np.testing.assert_allclose(plant.data.actuator_force, 2.6)


def test_diverged_state_is_an_error(
    plant: ClawPlant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # MuJoCo leaves a log of such warnings where it runs.
    monkeypatch.chdir(tmp_path)
    plant.data.qvel[4] = math.nan
    with pytest.raises(PlantDiverged, match="rad/s"):
        plant.step(NO_TORQUE, DT)
    fast = ClawPlant()
    fast.data.qvel[VALVE] = 1e4
    with pytest.raises(PlantDiverged):
        fast.step(NO_TORQUE, DT)


def test_time_step_is_checked(plant: ClawPlant) -> None:
    with pytest.raises(ValueError, match=r"0\.002"):
        plant.step(NO_TORQUE, 0.001)
    with pytest.raises(ValueError, match=r"got 0\.004"):
        ClawPlant(0.004)
