"""The hand's twin: ten servos behind one wire, in virtual time."""

import hashlib
import math
from typing import assert_type

import numpy as np
import pytest

from drivers.wire import Wire
from sim.claw import FINGER_IDS, VALVE_ID, ClawOptions, ClawTwin
from sim.claw_plant import HOME_RAD, VALVE, ClawPlant
from sim.claw_randomisation import ClawDraw, ClawRandomisation
from sim.claw_servo import PRESETS
from sim.firmware.servo_hooks import ServoHooks
from sim.servo_joint import AMBIENT_C, ServoPlant
from sim.worlds import make_world
from tests.sim.claw_bench import (
    ALL_IDS,
    COUNTS_PER_RAD,
    OFFSET,
    TICK,
    ask,
    hold,
    move,
    readings,
    send_goals,
    sweep,
    wait,
    write,
)
from tests.sim.dynamixel_bench import EVERYBODY, OK, PING, READ, SYNC_READ, instruction, span


def valve_at(angle: float, options: ClawOptions | None = None) -> ClawTwin:
    """A twin switched on with the fingers at home and the valve at `angle`, rad."""
    twin = ClawTwin(options)
    twin.plant.reset(HOME_RAD, angle)
    twin.line.power_cycle(twin.plant.position)
    return twin


def test_it_is_a_wire_with_hooks_and_a_plant() -> None:
    twin = ClawTwin()
    wire: Wire = twin.servos
    hooks: ServoHooks = twin.faults
    plant: ServoPlant = twin.plant
    assert_type(twin.plant, ClawPlant)
    assert wire.drain() == b""
    assert hooks.ids == twin.ids == ALL_IDS
    assert plant.position.shape == (10,)
    assert twin.released()


def test_everybody_answers_the_roll_call() -> None:
    found = ask(ClawTwin(), instruction(EVERYBODY, PING))
    assert [id for id, _, _ in found] == [10, 11, 12, 20, 21, 22, 30, 31, 32, 50]
    assert {data for _, _, data in found} == {(1050).to_bytes(2, "little") + b"\x30"}


def test_encoders_tell_the_shafts_with_robel_s_calibration() -> None:
    twin = valve_at(-1.0)
    expected = np.rint((np.array([*HOME_RAD, -1.0]) + OFFSET) * COUNTS_PER_RAD)
    assert list(readings(twin).values()) == expected.tolist()


def test_place_puts_fingers_home_and_the_valve_anywhere() -> None:
    twin = ClawTwin()
    angles = []
    for seed in range(200):
        twin.place(seed)
        np.testing.assert_array_equal(twin.plant.joint_position[:VALVE], HOME_RAD)
        assert twin.plant.contacts == frozenset()
        angles.append(twin.plant.valve_angle)
    assert -math.pi <= min(angles) < -0.95 * math.pi
    assert 0.95 * math.pi < max(angles) <= math.pi
    assert abs(np.mean(angles)) < 0.4
    twin.place(7)
    assert twin.plant.valve_angle == angles[7]


def test_place_begins_anew_as_after_a_power_cut() -> None:
    twin = ClawTwin()
    hold(twin, ALL_IDS)
    write(twin, 10, goal_current=20)
    move(twin, [0.4, -0.2, 0.3] * 3, 0.3)
    twin.motors.temperature_c[:] = 90.0
    wait(twin, 0.05)
    assert twin.line.servo(10).health.shut_down
    twin.servos.write(instruction(EVERYBODY, PING))
    twin.place(3, faults=("overheating",))
    assert twin.servos.drain() == b""
    for servo in twin.line.servos:
        assert not servo.motion.torque
        assert servo.awake
        assert not servo.health.shut_down
    np.testing.assert_array_equal(twin.motors.temperature_c, AMBIENT_C)
    assert ask(twin, instruction(10, READ, span(70, 1))) == [(10, OK, b"\x00")]
    expected = np.rint(twin.plant.position * COUNTS_PER_RAD)
    assert list(readings(twin).values()) == expected.tolist()
    hold(twin, ALL_IDS)
    before = twin.plant.joint_position.copy()
    wait(twin, 0.2)
    np.testing.assert_allclose(twin.plant.joint_position, before, atol=0.05)


def test_place_after_many_turns_of_the_valve() -> None:
    twin = ClawTwin()
    twin.plant.reset(HOME_RAD, 40.0)
    wait(twin, TICK)
    twin.place(11)
    assert readings(twin)[VALVE_ID] == round((twin.plant.valve_angle + math.pi) * COUNTS_PER_RAD)


def test_place_without_power_leaves_servos_dead() -> None:
    twin = ClawTwin()
    twin.supply_v = 0.0
    wait(twin, TICK)
    twin.place(1)
    twin.servos.write(instruction(10, PING))
    assert twin.servos.read(twin.clock.now() + 0.01) == b""


def test_place_draws_the_hand_from_its_seed() -> None:
    twin = ClawTwin(ClawOptions(randomisation=ClawRandomisation.robel()))
    twin.place(5)
    draw, strength = twin.draw, twin.draw.motor_strength
    assert draw != ClawDraw()
    assert twin.plant.model.body("mount").pos[0] == pytest.approx(draw.mount_shift_m[0])
    hold(twin, [VALVE_ID])
    send_goals(twin, [VALVE_ID], [float(twin.plant.position[VALVE]) + 1.0])
    wait(twin, 2 * twin.clock.dt)
    stalled = 3.714 * strength * twin.motors.current_a[VALVE]
    assert twin.motors.torque_nm[VALVE] == pytest.approx(stalled, rel=1e-3)
    twin.place(6)
    assert twin.draw != draw
    twin.place(5)
    assert twin.draw == draw


def test_begin_leaves_the_hand_in_some_pose_told_by_its_seed() -> None:
    twin = ClawTwin()
    poses = []
    for seed in range(30):
        twin.begin(seed)
        assert twin.plant.contacts == frozenset()
        assert not twin.plant.velocity.any()
        poses.append(twin.plant.joint_position.copy())
    assert (np.std(poses, axis=0) > 0.1).all()
    twin.begin(4)
    np.testing.assert_array_equal(twin.plant.joint_position, poses[4])
    expected = np.rint(twin.plant.position * COUNTS_PER_RAD)
    assert list(readings(twin).values()) == expected.tolist()


def test_fingers_follow_their_goals_and_the_valve_rests() -> None:
    twin = ClawTwin()
    valve = readings(twin)[VALVE_ID]
    hold(twin)
    wanted = np.array([0.3, -0.8, 0.9, -0.2, -1.2, 1.2, 0.0, -0.9, 0.6])
    move(twin, wanted.tolist(), 1.5)
    found = readings(twin)
    for id, goal in zip(FINGER_IDS, wanted + OFFSET[:9], strict=True):
        assert found[id] == pytest.approx(goal * COUNTS_PER_RAD, abs=12)
    assert found[VALVE_ID] == valve
    assert twin.plant.position[0] * COUNTS_PER_RAD == pytest.approx(found[10], abs=0.6)


def test_a_finger_that_lets_go_sinks_while_the_others_hold() -> None:
    twin = ClawTwin()
    hold(twin)
    wait(twin, 0.3)
    before = twin.plant.joint_position.copy()
    write(twin, 11, torque_enable=0)
    wait(twin, 1.0)
    sunk = np.abs(twin.plant.joint_position - before)
    assert sunk[1] > 0.05
    assert np.delete(sunk, 1).max() < 0.02


def test_engaged_valve_holds_against_a_sweep_that_turns_it_when_free() -> None:
    free = valve_at(0.0)
    hold(free)
    assert sweep(free) < -0.8
    engaged = valve_at(0.0)
    hold(engaged, ALL_IDS)
    assert abs(sweep(engaged)) < 0.25
    jammed = valve_at(0.0)
    jammed.jam_valve(True)
    hold(jammed)
    assert abs(sweep(jammed)) < 1e-2


@pytest.mark.parametrize("preset", PRESETS)
def test_a_sweep_turns_the_valve_with_either_preset(preset: str) -> None:
    twin = valve_at(0.0, ClawOptions(preset=PRESETS[preset]))
    hold(twin)
    assert sweep(twin) < -0.3


def test_engaged_valve_is_driven_to_its_goal_and_stays_when_let_go() -> None:
    twin = valve_at(-2.0)
    hold(twin, [VALVE_ID])
    send_goals(twin, [VALVE_ID], [1.0 + math.pi])
    wait(twin, 2.0)
    assert twin.plant.valve_angle == pytest.approx(1.0, abs=3e-3)
    write(twin, VALVE_ID, torque_enable=0)
    wait(twin, 1.0)
    assert twin.plant.valve_angle == pytest.approx(1.0, abs=3e-3)


def test_whoever_asks_is_told_of_each_step_after_the_physics() -> None:
    twin = ClawTwin()
    told: list[tuple[float, float]] = []
    twin.on_step.append(lambda now: told.append((now, float(twin.plant.data.time))))
    start = twin.clock.now()
    wait(twin, 0.01)
    assert [now for now, _ in told] == pytest.approx([start + 0.002 * n for n in range(1, 6)])
    assert np.diff([time for _, time in told]) == pytest.approx([0.002] * 4)


def test_picture_shows_the_hand_from_outside() -> None:
    twin = valve_at(0.0)
    picture = twin.render(80, 60)
    assert picture.shape == (60, 80, 3)
    red, green, blue = (picture[..., channel].astype(int) for channel in range(3))
    orange = (red > 100) & (red > 2 * green) & (red > 2 * blue)
    assert orange.sum() > 10
    twin.plant.reset(HOME_RAD, 2.0)
    assert (twin.render(80, 60) != picture).any()


def test_supply_is_the_model_s_own_or_as_told_and_is_measured() -> None:
    assert ClawTwin().supply_v == 24.0
    assert ClawTwin(ClawOptions(model=1030)).supply_v == 12.0
    twin = ClawTwin(ClawOptions(supply_v=23.4))
    packet = instruction(10, READ, span(144, 2))
    assert ask(twin, packet) == [(10, OK, (234).to_bytes(2, "little"))]


def test_power_cut_and_return() -> None:
    twin = ClawTwin()
    hold(twin)
    twin.supply_v = 0.0
    wait(twin, 0.1)
    twin.servos.write(instruction(10, PING))
    assert twin.servos.read(twin.clock.now() + 0.01) == b""
    twin.supply_v = 24.0
    wait(twin, 0.6)
    assert not twin.line.servo(10).motion.torque
    assert ask(twin, instruction(10, PING))[0][0] == 10


def test_journal_tells_what_the_wire_does_not() -> None:
    twin = valve_at(0.5)
    hold(twin, [10])
    journal = twin.journal()
    assert journal["torque"] == {id: id == 10 for id in ALL_IDS}
    assert journal["valve_angle_rad"] == pytest.approx(0.5)


def test_equal_runs_are_equal_to_the_bit() -> None:
    """Contacts and all; another seed is another run."""

    def digest(seed: int) -> str:
        twin = ClawTwin(ClawOptions(randomisation=ClawRandomisation.robel()))
        rng, sha = np.random.default_rng(0), hashlib.sha256()
        twin.place(seed)
        hold(twin)
        request = instruction(EVERYBODY, SYNC_READ, span(120, 27) + bytes(ALL_IDS))
        touched = False
        for _ in range(12):
            goal = rng.uniform([-0.45, -0.5, -0.5] * 3, [0.45, 0.3, 0.5] * 3) + OFFSET[:9]
            send_goals(twin, FINGER_IDS, goal.tolist())
            wait(twin, 20 * TICK)
            touched = touched or bool(twin.plant.contacts)
            twin.servos.write(request)
            sha.update(twin.servos.drain())
            sha.update(twin.plant.position.tobytes())
        assert touched
        return sha.hexdigest()

    assert digest(1) == digest(1)
    assert digest(1) != digest(2)


def test_served_hand_is_placed_from_its_seed() -> None:
    def valve(seed: int) -> float:
        angle = make_world("claw", seed).journal()["valve_angle_rad"]
        assert isinstance(angle, float)
        return angle

    assert valve(1) == valve(1)
    assert valve(1) != valve(2)
