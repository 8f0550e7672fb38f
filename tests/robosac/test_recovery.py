"""A fallen robot is armed under lower bounds, for a bounded time, and with every check but tilt."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robosac.errors import ArmingError, NotArmedError
from robosac.hal import Drive
from robosac.reasons import Reason
from robosac.recovery import RecoverySettings
from robosac.requests import ExecutorSettings
from robosac.states import SafetyState
from tests.robosac.executor_rig import PERIOD, STILL, Rig
from tests.robosac.fake_robot import JOINTS

SIDE = (math.cos(math.pi / 4), math.sin(math.pi / 4), 0.0, 0.0)
UPRIGHT = (1.0, 0.0, 0.0, 0.0)
MODE = RecoverySettings(torque_share=0.5, speed_share=0.2, most_s=2.0)
ABLE = ExecutorSettings(recovery=MODE)


def lying(orientation: tuple[float, float, float, float] = SIDE) -> Rig:
    rig = Rig(ABLE)
    rig.robot.orientation = orientation
    return rig


def recovering(rig: Rig) -> Rig:
    rig.executor.arm(recovering=True)
    return rig


def test_only_a_recovery_arms_a_tilted_robot() -> None:
    rig = lying()
    with pytest.raises(ArmingError, match="tilt"):
        rig.executor.arm()
    assert recovering(rig).executor.safety is SafetyState.ACTIVE
    tick = rig.run(3)
    assert tick.safety is SafetyState.ACTIVE
    assert tick.reasons & Reason.RECOVERING


@pytest.mark.parametrize("w", [0.0, math.nan, math.inf])
def test_an_unknown_attitude_refuses_even_then(w: float) -> None:
    rig = lying((w, 0.0, 0.0, 0.0))
    with pytest.raises(ArmingError):
        rig.executor.arm(recovering=True)
    assert rig.robot.drive is Drive.STOP


def test_torque_and_speed_are_bounded_by_their_shares() -> None:
    rig = recovering(lying())
    limits = rig.robot.limits
    fastest = 0.0
    for _ in range(60):
        rig.executor.request(np.full(JOINTS, 1.0))
        tick = rig.executor.tick()
        fastest = max(fastest, float(np.abs(tick.velocity).max()))
        assert (rig.robot.commands[-1].max_torque <= 0.5 * limits.torque).all()
    assert 0.19 * limits.velocity[0] < fastest <= 0.2 * limits.velocity[0] * (1 + 1e-9)


def test_it_ends_by_itself_and_then_only_damps() -> None:
    rig = recovering(lying())
    assert rig.run(round(MODE.most_s / PERIOD) - 2).safety is SafetyState.ACTIVE
    assert rig.run(4).safety is SafetyState.DAMPED
    assert rig.robot.drive is Drive.DAMP


def test_leaving_it_upright_restores_every_bound() -> None:
    rig = recovering(lying())
    rig.run(5)
    rig.robot.orientation = UPRIGHT
    rig.run(1)
    rig.executor.recovered()
    tick = rig.run(round(2 * MODE.most_s / PERIOD))
    assert tick.safety is SafetyState.ACTIVE
    assert not tick.reasons & Reason.RECOVERING
    assert (rig.robot.commands[-1].max_torque == rig.robot.limits.torque).all()
    rig.robot.orientation = SIDE
    assert rig.run(2).safety is SafetyState.DAMPED


def test_leaving_it_tilted_is_refused_and_it_goes_on() -> None:
    rig = recovering(lying())
    rig.run(2)
    with pytest.raises(ArmingError, match="tilt"):
        rig.executor.recovered()
    assert rig.run(2).reasons & Reason.RECOVERING


def test_leaving_it_with_a_leg_outside_its_limits_is_refused() -> None:
    rig = lying(UPRIGHT)
    rig.robot.position = np.full(JOINTS, 2.0)
    recovering(rig)
    rig.executor.tick()
    with pytest.raises(ArmingError, match="position"):
        rig.executor.recovered()


def test_only_an_active_robot_leaves_it() -> None:
    with pytest.raises(NotArmedError):
        Rig(ABLE).executor.recovered()
    rig = recovering(lying())
    rig.executor.disarm()
    with pytest.raises(NotArmedError):
        rig.executor.recovered()


def test_arming_anew_is_under_the_robots_own_bounds() -> None:
    rig = recovering(lying())
    rig.executor.disarm()
    with pytest.raises(ArmingError, match="tilt"):
        rig.executor.arm()
    rig.robot.orientation = UPRIGHT
    rig.executor.arm()
    assert not rig.run(2).reasons & Reason.RECOVERING


def test_the_gate_stops_a_recovery() -> None:
    rig = recovering(lying())
    rig.run(2)
    rig.gate.trip("test")
    tick = rig.run(1)
    assert tick.safety is SafetyState.FAULT
    assert rig.robot.drive is Drive.STOP
    with pytest.raises(ArmingError):
        rig.executor.arm(recovering=True)


def test_a_tripped_gate_forbids_a_recovery() -> None:
    rig = lying()
    rig.gate.trip("test")
    with pytest.raises(ArmingError, match="e-stop"):
        rig.executor.arm(recovering=True)
    assert rig.robot.drive is Drive.STOP


@pytest.mark.parametrize(
    ("attribute", "value", "ends"),
    [
        ("imu_age", 0.1, SafetyState.HOLD),
        ("imu_age", 0.3, SafetyState.DAMPED),
        ("temperature", 90.0, SafetyState.FAULT),
        ("spin", 3.0, SafetyState.FAULT),
        ("orientation", (math.nan, 0.0, 0.0, 0.0), SafetyState.DAMPED),
        ("silent", {1}, SafetyState.FAULT),
        ("refuses_drive", True, SafetyState.FAULT),
    ],
)
def test_every_other_check_stays_in_force(attribute: str, value: object, ends: SafetyState) -> None:
    rig = recovering(lying())
    setattr(rig.robot, attribute, value)
    assert rig.run(12).safety is ends


@settings(max_examples=20, deadline=None)
@given(start=st.floats(1.1, 1.0 + math.pi - 0.01), sign=st.sampled_from((-1.0, 1.0)))
def test_a_leg_outside_its_limits_is_commanded_only_inward(start: float, sign: float) -> None:
    rig = lying()
    rig.robot.position = np.full(JOINTS, sign * start)
    with pytest.raises(ArmingError, match=r"position|tilt"):
        rig.executor.arm()
    recovering(rig)
    before = sign * start
    for goal in (sign * 9.0, 0.0):
        for _ in range(40):
            rig.executor.request(np.full(JOINTS, goal), 0.2)
            at = float(rig.executor.tick().executed[0])
            assert abs(at) <= abs(before) + 1e-12
            before = at
    assert abs(before) < start


def test_a_leg_that_has_turned_too_far_needs_a_person() -> None:
    rig = lying()
    rig.robot.position = STILL + 1.0 + math.pi + 0.1
    with pytest.raises(ArmingError, match="position"):
        rig.executor.arm(recovering=True)


@pytest.mark.parametrize(
    "broken",
    [
        {"torque_share": 0.0},
        {"torque_share": 1.1},
        {"speed_share": math.nan},
        {"beyond": -1.0},
        {"most_s": math.inf},
    ],
)
def test_settings_refuse_nonsense(broken: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="recovery"):
        RecoverySettings(**broken)
