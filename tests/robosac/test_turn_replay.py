"""What of an episode that breaks reaches the replay: only what was so, while the hand holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from drivers.dynamixel import HardwareError
from robosac.actor import Actor
from robosac.experience import make_replay
from robosac.hal import Drive, JointCommand, RobotState
from robosac.learning import Learning
from robosac.states import SafetyState
from robosac.tasks.ends import EpisodeEnd
from robosac.tasks.turn import HOLD_S
from robosac.tasks.turn_definitions import FINGERS, RANGE, wrapped
from robosac.transition import Transition
from tests.robosac.turn_rig import TurnRig, make_rig, quick

VALVE_ID, WHOLE_STEPS, PERIOD_S = 50, 3, 0.1
PUSH = np.tile([0.4, -0.3, 0.2], 3).astype(np.float32)
"""Fingers in motion: what is of another moment is not taken for the present."""
Fail = Callable[[TurnRig], None]


def camera(name: str, value: object = True) -> Fail:
    def fail(rig: TurnRig) -> None:
        assert rig.twin.camera is not None
        setattr(rig.twin.camera.device.faults, name, value)

    return fail


def valve(hook: str) -> Fail:
    return lambda rig: getattr(rig.twin.faults, hook)(VALVE_ID, True)


def grip(rig: TurnRig) -> None:
    """The valve's servo takes hold by itself, and does not let go."""
    servo = rig.twin.line.servo(VALVE_ID)
    servo.motion.torque_on()
    servo.motion.torque_off = servo.motion.torque_on  # type: ignore[method-assign]


def overload(rig: TurnRig) -> None:
    rig.twin.line.servo(21).health.inject(HardwareError.OVERLOAD)


HELD: dict[str, tuple[str, Fail, EpisodeEnd]] = {
    "unplugged": ("claw-pixels", camera("unplugged"), EpisodeEnd.CAMERA_UNPLUGGED),
    "frozen": ("claw-pixels", camera("frozen"), EpisodeEnd.CAMERA_FROZEN),
    "black": ("claw-pixels", camera("black"), EpisodeEnd.CAMERA_BLACK),
    "late": ("claw-pixels", camera("late_s", 0.5), EpisodeEnd.CAMERA_LATE),
    "silent": ("claw-pixels", camera("blocked"), EpisodeEnd.CAMERA_LATE),
    "damaged": ("claw-pixels", camera("undecodable"), EpisodeEnd.CAMERA_DAMAGED),
    "valve frozen": ("claw", valve("freeze"), EpisodeEnd.VALVE_LOST),
    "valve frozen, pixels": ("claw-pixels", valve("freeze"), EpisodeEnd.VALVE_LOST),
}
"""What leaves nine servos that can be relied on: they hold."""
CUT: dict[str, tuple[str, Fail, EpisodeEnd]] = {
    "valve silent": ("claw", valve("silence"), EpisodeEnd.VALVE_LOST),
    "valve held": ("claw", grip, EpisodeEnd.VALVE_LOST),
    "overload": ("claw", overload, EpisodeEnd.SERVO_OVERLOADED),
    "overload, pixels": ("claw-pixels", overload, EpisodeEnd.SERVO_OVERLOADED),
}
"""What the executor itself answers: a latched fault, and torque off."""


@dataclass
class Lived:
    """One episode, and what was so at each of its steps."""

    rig: TurnRig
    replay: Any
    transitions: list[Transition] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    """Steps whose transition went into the replay."""
    angles: list[float] = field(default_factory=list)
    """The valve's true angle after each step, rad."""
    fingers: list[np.ndarray] = field(default_factory=list)
    """The true joint angles after each step, rad."""
    ended: list[float] = field(default_factory=list)
    """Time of each step's last tick, s."""
    exposed: dict[bytes, float] = field(default_factory=dict)
    """When the sensor made each picture, s."""
    commands: list[JointCommand] = field(default_factory=list)


def live(preset: str, fail: Fail) -> Lived:
    """An episode that breaks after some whole steps, through all that learning does with it."""
    rig = make_rig(preset, *quick(), "sac.replay_capacity=500")
    lived = Lived(rig, make_replay(rig.config, rig.env))
    _watch(lived)
    learning = Learning(rig.config, None, lived.replay)  # type: ignore[arg-type]
    actor = Actor(rig.env, "test")
    actor.begin(0, 0)
    for step in range(30):
        if step == WHOLE_STEPS:
            fail(rig)
        before = len(lived.replay)
        transition = actor.step(PUSH, 0)
        learning.take(transition)
        lived.transitions.append(transition)
        lived.kept += [step] * (len(lived.replay) - before)
        lived.ended.append(rig.env.ticks[-1].state.time)
        lived.angles.append(rig.twin.plant.valve_angle)
        lived.fingers.append(rig.twin.plant.joint_position[:FINGERS].copy())
        if transition.end is not None:
            return lived
    raise AssertionError("the episode did not end")


def _watch(lived: Lived) -> None:
    """Note each picture that the sensor makes, and each command that goes to the servos."""
    robot = lived.rig.executor._robot
    exchange = robot.exchange

    def exchanged(command: JointCommand, deadline: float) -> RobotState:
        lived.commands.append(command)
        return exchange(command, deadline)

    robot.exchange = exchanged  # type: ignore[method-assign]
    if lived.rig.twin.camera is not None:
        device = lived.rig.twin.camera.device
        render = device._render

        def rendered(time: float) -> Any:
            picture = render(time)
            lived.exposed[picture.tobytes()] = time
            return picture

        device._render = rendered


def only_truth_was_kept(lived: Lived) -> None:
    """Each kept step's reward, fingers and picture are those of its own end."""
    steps = lived.kept
    assert steps[:WHOLE_STEPS] == list(range(WHOLE_STEPS)), "what was whole is learned from"
    assert len(lived.transitions) - 1 not in steps, "the last step is not"
    for step in steps:
        transition = lived.transitions[step]
        error = abs(wrapped(-lived.angles[step]))
        assert transition.terms["distance"] == pytest.approx(-2.0 * error, abs=0.02)
        seen = transition.next_observation
        vector = seen["state"] if isinstance(seen, dict) else seen
        np.testing.assert_allclose(vector[:FINGERS] * RANGE, lived.fingers[step], atol=0.03)
        if isinstance(seen, dict):
            exposed = lived.exposed[seen["image"].tobytes()]
            assert lived.ended[step] - PERIOD_S < exposed <= lived.ended[step]


@pytest.mark.parametrize("name", HELD)
def test_it_ends_with_its_own_code_the_hand_holds_and_only_truth_is_learned(name: str) -> None:
    preset, fail, end = HELD[name]
    lived = live(preset, fail)
    assert lived.transitions[-1].end is end
    assert not lived.transitions[-1].terminated
    only_truth_was_kept(lived)
    held = [command for command in lived.commands if command.drive is Drive.POSITION]
    held = held[-round(HOLD_S / 0.01) :]
    goals = np.array([command.position[:FINGERS] for command in held])
    np.testing.assert_allclose(goals, np.tile(goals[0], (len(goals), 1)), atol=1e-9)
    assert all(command.free is not None and command.free[FINGERS] for command in held)
    np.testing.assert_allclose(lived.fingers[-1], goals[-1], atol=0.1)
    assert lived.rig.executor.safety is SafetyState.DISARMED
    assert not any(servo.motion.torque for servo in lived.rig.twin.line.servos)


@pytest.mark.parametrize("name", CUT)
def test_it_ends_with_its_own_code_torque_goes_and_only_truth_is_learned(name: str) -> None:
    preset, fail, end = CUT[name]
    lived = live(preset, fail)
    assert lived.transitions[-1].end is end
    assert not lived.transitions[-1].terminated
    only_truth_was_kept(lived)
    assert lived.rig.executor.safety is SafetyState.FAULT
    fingers = lived.rig.twin.line.servos[:FINGERS]
    assert not any(servo.motion.torque for servo in fingers)
