"""The body in MuJoCo: what it weighs, how it stands, what its sensors say."""

from __future__ import annotations

import numpy as np
import pytest

from sim import leg_geometry
from sim.physics import PlantDiverged
from sim.plant import MinitaurPlant
from sim.randomisation import Draw
from tests.sim.trotting import Gait, trot

STIFFNESS, DAMPING = 8.2, 0.17  # N m/rad, N m s/rad: the voltage law in torque, without its limits


@pytest.fixture
def plant() -> MinitaurPlant:
    return MinitaurPlant()


def hold(plant: MinitaurPlant, goal: np.ndarray, steps: int) -> None:
    for _ in range(steps):
        torque = STIFFNESS * (goal - plant.joint_position) - DAMPING * plant.joint_velocity
        plant.step(np.clip(torque, -3.5, 3.5))


def test_masses_are_those_of_the_provenance_table(plant: MinitaurPlant) -> None:
    # rainbow_dash URDF: chassis, 2 sides, 8 rotors, 8 upper, 4 long lower, 4 short lower links.
    expected = 3.353 + 2 * 1.32 + 8 * 0.072 + 8 * 0.034 + 4 * 0.086 + 4 * 0.072
    assert plant.model.body_mass.sum() == pytest.approx(expected)
    assert expected == pytest.approx(7.473)


def test_upper_link_and_rotor_are_merged_by_the_parallel_axis_rule(plant: MinitaurPlant) -> None:
    # Rotor .072 kg on the axis, its spin inertia in the armature; link .034 kg with its centre
    # .045 m out. Their common centre and inertia about it:
    centre = 0.034 * 0.045 / 0.106
    shift = 0.072 * centre**2 + 0.034 * (0.045 - centre) ** 2
    body = plant.model.body("front_left_front")
    assert body.mass[0] == pytest.approx(0.106)
    assert body.ipos[2] == pytest.approx(centre, rel=1e-3)
    expected = [1.1397e-4 + 3.877e-5 + shift, 4.2198e-5 + shift, 1.1397e-4 + 3.603e-6]
    np.testing.assert_allclose(body.inertia, expected, rtol=1e-3)


def test_motors_act_in_the_stated_order_and_direction(plant: MinitaurPlant) -> None:
    for index in range(8):
        plant.reset(clearance=0.5)
        torque = np.zeros(8)
        torque[index] = 1.0
        plant.step(torque)
        moved = plant.joint_velocity
        assert np.argmax(moved) == index
        foot = plant.data.geom(f"{leg_geometry.LEG_NAMES[index // 2]}_foot").id
        before = plant.data.geom_xpos[foot, 0]
        for _ in range(20):
            plant.step(torque)
        # A front link that turns outward takes the foot back; a rear link takes it forward.
        assert (plant.data.geom_xpos[foot, 0] > before) == (index % 2 == 1)


def test_reset_sets_the_lowest_toe_just_above_the_floor(plant: MinitaurPlant) -> None:
    plant.reset(extension=[2.0, 1.8, 2.1, 2.0], swing=0.1, clearance=0.002, x=1.0, y=-2.0, yaw=0.7)
    bottoms = [plant.data.geom(f"{leg}_foot").xpos[2] - 0.012 for leg in leg_geometry.LEG_NAMES]
    assert min(bottoms) == pytest.approx(0.002)
    pose = plant.planar_pose()
    assert (pose.x, pose.y, pose.yaw) == pytest.approx((1.0, -2.0, 0.7))
    assert plant.tilt == pytest.approx(0.0, abs=1e-7)


def test_it_stands_for_ten_seconds(plant: MinitaurPlant) -> None:
    goal = leg_geometry.motor_angles(2.0, 0.0)
    plant.reset(2.0, 0.0)
    hold(plant, goal, 1000)
    settled = plant.base_position.copy()
    hold(plant, goal, 9000)
    assert np.linalg.norm(plant.base_position - settled) < 0.005
    assert plant.tilt < 0.02
    assert plant.base_position[2] > 0.24
    np.testing.assert_allclose(plant.specific_force, [0, 0, 9.81], atol=0.3)
    np.testing.assert_allclose(plant.angular_velocity, 0, atol=0.02)
    assert plant.loop_error() < 2e-4


def test_specific_force_and_gyro_are_in_the_body_frame(plant: MinitaurPlant) -> None:
    plant.reset(clearance=2.0)
    plant.data.qvel[3:6] = (0.0, 0.0, 3.0)
    plant.step(np.zeros(8))
    np.testing.assert_allclose(plant.angular_velocity, [0, 0, 3.0], atol=1e-6)
    np.testing.assert_allclose(plant.specific_force, 0.0, atol=0.5)  # free fall


def test_held_it_hangs_still_and_feels_gravity(plant: MinitaurPlant) -> None:
    plant.reset(clearance=0.3)
    before = plant.data.qpos[:7].copy()
    plant.hold_base(True)
    assert plant.held
    hold(plant, leg_geometry.motor_angles(2.3, 0.2), 1000)
    np.testing.assert_allclose(plant.data.qpos[:7], before, atol=1e-3)
    np.testing.assert_allclose(plant.specific_force, [0, 0, 9.81], atol=0.1)
    np.testing.assert_allclose(plant.joint_position, leg_geometry.motor_angles(2.3, 0.2), atol=0.05)
    plant.hold_base(False)
    for _ in range(100):
        plant.step(np.zeros(8))
    assert plant.base_position[2] < before[2] - 0.03


def test_reset_lets_go(plant: MinitaurPlant) -> None:
    plant.hold_base(True)
    plant.reset()
    assert not plant.held


def test_a_push_lasts_as_long_as_asked(plant: MinitaurPlant) -> None:
    plant.reset(clearance=5.0)
    plant.push([0.0, 100.0, 0.0], 50)
    for _ in range(200):
        plant.step(np.zeros(8))
    # 100 N for 50 ms on 7.473 kg, then 150 ms of coasting: on average 175 ms at the final speed.
    centre = plant.data.subtree_com[plant.model.body("base").id]
    assert centre[1] == pytest.approx(100.0 * 0.050 / 7.473 * 0.175, rel=0.02)
    with pytest.raises(ValueError, match="at least 1"):
        plant.push([1, 0, 0], 0)


def test_views_cannot_be_written_through(plant: MinitaurPlant) -> None:
    with pytest.raises(ValueError, match="read-only"):
        plant.joint_position[0] = 1.0


def test_a_diverged_state_is_an_error(plant: MinitaurPlant) -> None:
    plant.data.qpos[2] = 1e6
    with pytest.raises(PlantDiverged, match="last torques"):
        plant.step(np.zeros(8))


@pytest.mark.parametrize("timestep", [0.0, 0.005, float("nan")])
def test_a_time_step_it_is_not_tuned_for_is_refused(timestep: float) -> None:
    with pytest.raises(ValueError, match="timestep"):
        MinitaurPlant(timestep)


def test_a_draw_scales_the_nominal_body_and_does_not_accumulate(plant: MinitaurPlant) -> None:
    draw = Draw(chassis_mass_scale=1.2, leg_mass_scale=0.8, inertia_scale=0.5, foot_friction=0.6)
    inertia = plant.model.body_inertia.copy()
    for _ in range(2):
        plant.apply(draw)
        plant.reset()
        chassis = 3.353 + 2 * 1.32
        expected = 1.2 * chassis + 0.8 * (7.473 - chassis)
        assert plant.model.body_mass.sum() == pytest.approx(expected)
        np.testing.assert_allclose(plant.model.body_inertia, 0.5 * inertia)
        assert plant.model.geom("back_left_foot").friction[0] == 0.6
        assert plant.model.body_subtreemass[0] == pytest.approx(expected)
    plant.apply(Draw())
    assert plant.model.body_mass.sum() == pytest.approx(7.473)


def test_the_same_run_twice_is_the_same_to_the_bit(plant: MinitaurPlant) -> None:
    gait = Gait(2.0, 0.25, 0.20, 2.0)
    first = trot(gait, 3.0, plant)
    plant.apply(Draw(chassis_mass_scale=1.1))
    different = trot(gait, 3.0, plant)
    plant.apply(Draw())
    again = trot(gait, 3.0, plant)
    assert first.state == again.state
    assert first.state == trot(gait, 3.0).state
    assert first.state != different.state
