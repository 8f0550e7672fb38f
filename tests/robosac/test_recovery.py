"""A fallen robot is armed under lower bounds, for a bounded time, and with every check but tilt."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robosac.errors import ArmingError, NotArmedError
from robosac.hal import Drive
from robosac.keepout import FrontLegsForward
from robosac.reasons import Reason
from robosac.recovery import RecoverySettings
from robosac.requests import ExecutorSettings
from robosac.states import SafetyState
from robosac.tasks.legs import joints_from_legs
from robosac.ticks import Tick, Unobserved
from tests.robosac.executor_rig import PERIOD, STILL, Rig
from tests.robosac.fake_robot import JOINTS

SIDE = (math.cos(math.pi / 4), math.sin(math.pi / 4), 0.0, 0.0)
UPRIGHT = (1.0, 0.0, 0.0, 0.0)
MODE = RecoverySettings(torque_share=0.5, speed_share=0.2, most_s=2.0)
OFF = (SafetyState.DISARMED, SafetyState.FAULT)
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


def pushed(rig: Rig, ways: int = 30) -> Tick:
    """What comes of a robot that is slowly pushed away from where it is commanded."""
    tick = rig.run(1)
    for _ in range(ways):
        rig.robot.offset += 0.05
        tick = rig.run(1)
    return tick


def test_the_monitor_judges_by_the_bounds_in_force() -> None:
    rig = recovering(lying())
    assert not pushed(rig).faults
    rig = recovering(lying())
    rig.run(2)
    rig.robot.orientation = UPRIGHT
    rig.run(1)
    rig.executor.recovered()
    assert {fault.name for fault in pushed(rig).faults} == {"position_limit"}
    assert rig.executor.safety is SafetyState.FAULT


def test_a_leg_that_hangs_outside_is_no_fault_until_torque_is_off() -> None:
    rig = lying()
    rig.robot.position = np.full(JOINTS, 2.0)
    recovering(rig).executor.disarm()
    assert rig.executor.safety is SafetyState.DISARMED
    assert rig.executor.faults == ()


class Watcher(Unobserved):
    """Notes in which ticks a recovery's bounds were in force."""

    def __init__(self) -> None:
        self.seen: list[tuple[SafetyState, bool]] = []

    def ticked(self, tick: Tick) -> None:
        assert tick.decision is not None
        weaker = tick.decision.grounds.recovery is not None
        self.seen.append((tick.decision.grounds.before, weaker))


@pytest.mark.parametrize("end", ["disarm", "gate", "fault", "error", "old"])
def test_however_it_ends_the_robots_own_bounds_come_back(end: str) -> None:
    rig = lying()
    watcher = rig.executor.observer = Watcher()
    recovering(rig).run(3)
    assert watcher.seen[-1] == (SafetyState.ACTIVE, True)
    match end:
        case "disarm":
            rig.executor.disarm()
        case "gate":
            rig.gate.trip("test")
        case "fault":
            rig.robot.temperature = 90.0
        case "error":
            rig.robot.raises = RuntimeError("test")
            with pytest.raises(RuntimeError, match="test"):
                rig.run(1)
            rig.robot.raises = None
        case _:
            rig.run(round(rig.executor.settings.stop_after / PERIOD) + 2, keep_requesting=False)
    rig.run(2, keep_requesting=False)
    assert rig.executor.safety in (SafetyState.DISARMED, SafetyState.FAULT)
    assert watcher.seen[-1] == (rig.executor.safety, False)
    powered = [weaker for state, weaker in watcher.seen if state not in OFF]
    assert all(powered), "and not before torque is off"
    with pytest.raises(NotArmedError):
        rig.executor.recovered()


def test_a_robot_that_shall_not_get_up_is_never_armed_so() -> None:
    rig = Rig()
    with pytest.raises(ArmingError, match="recovery"):
        rig.executor.arm(recovering=True)
    assert rig.executor.safety is SafetyState.DISARMED
    assert all(command.drive is Drive.STOP for command in rig.robot.commands)
    rig.executor.arm()
    assert not rig.run(2).reasons & Reason.RECOVERING


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), depth=st.floats(-0.3, 1.0))
def test_legs_under_the_body_may_come_out_and_never_go_deeper(seed: int, depth: float) -> None:
    rng, fold = np.random.default_rng(seed), 0.6
    keep_out = FrontLegsForward(fold, JOINTS)
    rig = Rig(ExecutorSettings(recovery=MODE, keep_out=keep_out, astray_rad=math.inf))
    rig.robot.orientation = SIDE
    rig.robot.position = joints_from_legs(
        np.array([-fold - depth, 0.0, -fold - depth, 0.0]), rng.uniform(-0.5, 0.5, 4)
    )
    recovering(rig)
    clear = np.minimum(keep_out.clearance(rig.robot.position), 0.0)
    for _ in range(25):
        goal = rng.uniform(-3.0, 3.0, JOINTS)
        for _ in range(6):
            rig.executor.request(goal, float(rng.choice([0.0, 0.03])))
            at = keep_out.clearance(rig.executor.tick().executed)
            assert (at >= clear - 1e-9).all()
            clear = np.maximum(clear, np.minimum(at, 0.0))


def test_legs_under_the_body_come_out() -> None:
    keep_out = FrontLegsForward(0.6, JOINTS)
    rig = Rig(ExecutorSettings(recovery=replace(MODE, most_s=20.0), keep_out=keep_out))
    rig.robot.orientation = SIDE
    rig.robot.position = joints_from_legs(np.array([-1.1, 0.0, -1.4, 0.0]), np.zeros(4))
    recovering(rig)
    tick = rig.run(1000)
    assert tick.safety is SafetyState.ACTIVE
    np.testing.assert_allclose(tick.executed, STILL, atol=1e-6)


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
