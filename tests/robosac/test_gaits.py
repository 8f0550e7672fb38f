"""The scripted hand: its geometry against the model's, its phases, and what it turns."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosac.tasks.gaits import (
    FINGER_AZIMUTH,
    LOBE_AZIMUTH,
    THIRD,
    Phase,
    ScriptedTurn,
    TurnGait,
    azimuth,
    finger_at,
    landing,
)
from robosac.tasks.turn_definitions import CENTRE, HOME, RANGE, wrapped
from sim.claw_plant import ClawPlant
from sim.claw_servo import IDENTIFIED, ROBEL, ServoPreset

GAIT = TurnGait()
PERIOD_S, TIMESTEP_S = 0.1, 0.002
AHEAD_RAD = 2 * math.pi / 3 * PERIOD_S
STALL_NM = 2.6
angles = st.floats(-20.0, 20.0)


class Hand:
    """The plant behind ideal position loops, with the actions of the turning task."""

    def __init__(self, preset: ServoPreset) -> None:
        self.plant = ClawPlant(preset=preset)
        self.plant.model.dof_damping[:9] = preset.damping_nm_s_rad
        self.stiffness = preset.stiffness_nm_rad
        self.goal = HOME.copy()

    def place(self, valve_rad: float) -> None:
        self.plant.reset(valve_rad=valve_rad)
        self.goal = HOME.copy()

    def step(self, action: np.ndarray) -> None:
        joints, start = self.plant.joint_position[:9].copy(), self.goal
        self.goal = np.clip(CENTRE + RANGE * action, joints - AHEAD_RAD, joints + AHEAD_RAD)
        torque = np.zeros(10)
        for tick in range(round(PERIOD_S / TIMESTEP_S)):
            target = start + (tick // 5 + 1) / 10 * (self.goal - start)
            push = self.stiffness * (target - self.plant.joint_position[:9])
            torque[:9] = np.clip(push, -STALL_NM, STALL_NM)
            self.plant.step(torque, TIMESTEP_S)


def turn(hand: Hand, start_rad: float, steps: int) -> tuple[list[float], list[Phase]]:
    """The valve's angle and the phase at each step; the target is 0."""
    gait, valve, phases = ScriptedTurn(), list[float](), list[Phase]()
    hand.place(start_rad)
    for _ in range(steps):
        valve.append(hand.plant.valve_angle)
        fingers = hand.plant.joint_position[:9]
        hand.step(gait.act(valve[-1], wrapped(-valve[-1]), fingers))
        phases.append(gait.phase)
    return [*valve, hand.plant.valve_angle], phases


@pytest.mark.parametrize("preset", [IDENTIFIED, ROBEL])
def test_it_turns_the_valve_to_its_target_from_either_side(preset: ServoPreset) -> None:
    hand = Hand(preset)
    for start in (-3.0, -1.1, 0.4, 2.3):
        valve, _ = turn(hand, start, 60)
        assert abs(wrapped(valve[-1])) < 0.2


@pytest.mark.parametrize("start", [-3.1, 3.1])
def test_one_cycle_turns_the_valve_by_more_than_half_a_radian(start: float) -> None:
    valve, phases = turn(Hand(IDENTIFIED), start, 60)
    openings = [i for i, p in enumerate(phases) if p is Phase.OPEN and phases[i - 1] is Phase.PUSH]
    assert 1 <= len(openings) <= 3
    turned = -math.copysign(1.0, start) * (valve[-1] - start)
    assert turned > 3.0
    assert turned / (len(openings) + 1) > 0.5


def test_a_valve_that_is_right_stays_so() -> None:
    valve, phases = turn(Hand(IDENTIFIED), 0.02, 10)
    assert set(phases) == {Phase.OPEN}
    assert abs(valve[-1] - 0.02) < 1e-3


def test_the_geometry_is_the_models() -> None:
    plant = ClawPlant()
    for place, radius in ((0.0, 0.06), (0.9, 0.05), (-1.2, 0.058)):
        joints = finger_at(place, radius)
        plant.reset(np.tile(joints, 3))
        for finger in range(3):
            body = plant.data.body(f"tip_{finger}")
            x, y, _ = body.xpos + body.xmat.reshape(3, 3) @ [0.0, 0.0, 0.073]
            base = FINGER_AZIMUTH - finger * THIRD
            assert wrapped(math.atan2(y, x) - base) == pytest.approx(place, abs=2e-3)
            assert math.hypot(x, y) == pytest.approx(radius, abs=1e-4)
    plant.reset(HOME, valve_rad=0.7)
    middle = plant.data.geom("lobe_0").xpos
    assert math.atan2(middle[1], middle[0]) == pytest.approx(LOBE_AZIMUTH + 0.7, abs=1e-3)


@given(place=st.floats(-1.5, 1.5), radius=st.floats(0.03, 0.1))
def test_where_a_finger_is_sent_is_where_it_is_found(place: float, radius: float) -> None:
    assert azimuth(finger_at(place, radius)) == pytest.approx(place, abs=1e-9)


@given(valve=angles, direction=st.sampled_from([-1.0, 1.0]))
def test_a_finger_comes_in_behind_a_lobe_with_room_to_push(valve: float, direction: float) -> None:
    place = landing(valve, direction, GAIT)
    lobe = valve + LOBE_AZIMUTH - FINGER_AZIMUTH
    gap = math.remainder(direction * (lobe - place) - GAIT.behind_rad, THIRD)
    assert gap == pytest.approx(0.0, abs=1e-9)
    assert -1e-9 <= direction * place + GAIT.back_rad <= THIRD + 1e-9
    assert THIRD - GAIT.back_rad + 0.3 < GAIT.reach_rad


@given(
    readings=st.lists(
        st.tuples(angles, st.floats(-math.pi, math.pi), st.lists(angles, min_size=9, max_size=9)),
        min_size=1,
        max_size=30,
    )
)
def test_every_action_is_valid_and_depends_on_what_was_measured_alone(
    readings: list[tuple[float, float, list[float]]],
) -> None:
    one, two = ScriptedTurn(), ScriptedTurn()
    for valve, error, fingers in readings:
        action = one.act(valve, error, np.array(fingers))
        assert action.shape == (9,)
        assert (np.abs(action) <= 1.0).all()
        np.testing.assert_array_equal(action, two.act(valve, error, np.array(fingers)))


def test_a_joint_that_never_arrives_holds_the_gait_up_for_a_while_only() -> None:
    gait, stuck = ScriptedTurn(), np.full(9, 0.9)
    phases = []
    for _ in range(5 * GAIT.patience_steps):
        gait.act(0.0, 1.0, stuck)
        phases.append(gait.phase)
    assert set(phases) == set(Phase)


def test_near_the_target_the_hand_rests_and_past_it_opens() -> None:
    gait, joints = ScriptedTurn(), np.tile(finger_at(0.3, GAIT.circle_m), 3)
    gait.phase = Phase.PUSH
    for _ in range(3 * GAIT.patience_steps):
        action = gait.act(0.0, 0.5 * GAIT.done_rad, joints)
        np.testing.assert_allclose(CENTRE + RANGE * action, joints, atol=1e-9)
    assert gait.phase is Phase.PUSH
    gait.act(0.0, 2.0 * GAIT.done_rad, joints)
    assert gait.phase is Phase.PUSH
    gait.act(0.0, -2.0 * GAIT.done_rad, joints)
    assert gait.phase is Phase.OPEN


@pytest.mark.parametrize("place", range(3))
def test_what_is_not_known_is_refused(place: int) -> None:
    given_angles = [0.0, 0.5, np.zeros(9)]
    given_angles[place] = math.nan if place < 2 else np.full(9, math.nan)
    with pytest.raises(ValueError, match="must be finite"):
        ScriptedTurn().act(*given_angles)
