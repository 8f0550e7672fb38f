"""What breaks in an episode: an end with its own code, and what comes after it."""

from collections.abc import Callable

import numpy as np
import pytest

from drivers.dynamixel import HardwareError
from robosac.hal import Drive
from robosac.states import SafetyState
from robosac.tasks.ends import EpisodeEnd
from tests.robosac.turn_rig import STILL, TurnRig, make_rig

VALVE_ID = 50


def camera(name: str, value: object = True) -> Callable[[TurnRig], None]:
    def fail(rig: TurnRig) -> None:
        assert rig.twin.camera is not None
        setattr(rig.twin.camera.device.faults, name, value)

    return fail


CAMERA_FAULTS = [
    (camera("unplugged"), EpisodeEnd.CAMERA_UNPLUGGED),
    (camera("frozen"), EpisodeEnd.CAMERA_FROZEN),
    (camera("black"), EpisodeEnd.CAMERA_BLACK),
    (camera("undecodable"), EpisodeEnd.CAMERA_DAMAGED),
    (camera("wrong_size"), EpisodeEnd.CAMERA_DAMAGED),
    (camera("late_s", 0.5), EpisodeEnd.CAMERA_LATE),
    (camera("blocked"), EpisodeEnd.CAMERA_LATE),
]


@pytest.mark.parametrize(("fail", "end"), CAMERA_FAULTS)
def test_a_camera_that_fails_ends_the_episode_with_its_own_code(
    fail: Callable[[TurnRig], None], end: EpisodeEnd
) -> None:
    rig = make_rig("claw-pixels")
    rig.env.reset(seed=0)
    rig.env.step(STILL)
    fail(rig)
    rig.fails_with(end)


def test_the_hand_holds_while_the_camera_is_blind_and_then_lets_go() -> None:
    rig = make_rig("claw-pixels")
    rig.env.reset(seed=0)
    commands: list[tuple[Drive, np.ndarray]] = []
    robot = rig.executor._robot
    alive = robot.exchange

    def watched(command, deadline):  # type: ignore[no-untyped-def]
        commands.append((command.drive, command.position[:9].copy()))
        return alive(command, deadline)

    robot.exchange = watched  # type: ignore[method-assign]
    camera("unplugged")(rig)
    rig.until_end()
    last = [position for drive, position in commands if drive is Drive.POSITION][-20:]
    np.testing.assert_allclose(last, np.tile(last[-1], (20, 1)), atol=1e-9)
    assert rig.env.executor.safety is SafetyState.DISARMED
    assert not rig.env.executor.faults, "a camera is no reason to call a person"


def test_a_picture_that_cannot_be_had_is_black_and_not_an_old_one() -> None:
    rig = make_rig("claw-pixels")
    rig.env.reset(seed=0)
    camera("unplugged")(rig)
    observation, info, _ = rig.until_end()
    assert not observation["image"].any()
    assert not info["rewarded"]


def test_a_camera_that_comes_back_serves_the_next_episode() -> None:
    rig = make_rig("claw-pixels")
    rig.env.reset(seed=0)
    camera("unplugged")(rig)
    rig.fails_with(EpisodeEnd.CAMERA_UNPLUGGED)
    camera("unplugged", False)(rig)
    observation, _ = rig.env.reset(seed=1)
    assert observation["image"].any()
    assert rig.env.step(STILL)[4]["end"] is None


def test_without_a_camera_no_episode_begins() -> None:
    rig = make_rig("claw-pixels")
    rig.env.reset(seed=0)
    camera("unplugged")(rig)
    rig.fails_with(EpisodeEnd.CAMERA_UNPLUGGED)
    with pytest.raises(OSError, match="camera gave no picture"):
        rig.env.reset(seed=1)
    assert rig.env.executor.safety is SafetyState.DISARMED


@pytest.mark.parametrize("stuck", ["freeze", "silence"])
@pytest.mark.parametrize("preset", ["claw", "claw-pixels"])
def test_a_valve_servo_that_tells_nothing_new(stuck: str, preset: str) -> None:
    rig = make_rig(preset)
    rig.env.reset(seed=0)
    rig.env.step(STILL)
    getattr(rig.twin.faults, stuck)(VALVE_ID, True)
    rig.fails_with(EpisodeEnd.VALVE_LOST)


@pytest.mark.parametrize("joint", [10, 22, 31])
def test_a_finger_servo_that_is_overloaded(joint: int) -> None:
    rig = make_rig()
    rig.env.reset(seed=0)
    rig.env.step(STILL)
    rig.twin.line.servo(joint).health.inject(HardwareError.OVERLOAD)
    rig.fails_with(EpisodeEnd.SERVO_OVERLOADED)
    assert rig.env.executor.safety is SafetyState.FAULT
    assert [latched.fault.name for latched in rig.env.executor.faults] == ["servo_overload"]
    assert not any(servo.motion.torque for servo in rig.twin.line.servos)
    rig.env.reset(seed=1)
    assert rig.env.setup.operator_calls == 1, "a latched fault is a person's affair"


def test_a_finger_that_falls_silent_is_a_lost_communication() -> None:
    rig = make_rig()
    rig.env.reset(seed=0)
    rig.twin.faults.silence(21, True)
    rig.fails_with(EpisodeEnd.COMMUNICATION_LOSS)


def test_a_pulled_cable_is_a_lost_communication() -> None:
    rig = make_rig()
    rig.env.reset(seed=0)
    rig.twin.servos.unplug()
    rig.fails_with(EpisodeEnd.COMMUNICATION_LOSS)


def test_an_emergency_stop_is_a_safety_stop() -> None:
    rig = make_rig()
    rig.env.reset(seed=0)
    rig.stage.gate.trip("test")
    rig.fails_with(EpisodeEnd.SAFETY_STOP)
    assert not any(servo.motion.torque for servo in rig.twin.line.servos)
