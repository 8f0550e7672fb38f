"""The list of what goes wrong: complete, consistent, and understood by the twins."""

from collections import Counter

import numpy as np
import pytest

from robosac.errors import ConfigError
from robosac.reasons import Reason
from robosac.rehearsal.cases import (
    CASES,
    HAZARDS,
    Budget,
    Case,
    Level,
    Phase,
    Push,
    TwinFault,
    Unplug,
    cases_for,
    chosen,
    left_out,
    spec_of,
)
from robosac.rehearsal.files import ROBOTS
from robosac.rehearsal.verdict import by_firmware
from sim.fault_plan import Faultable, FaultPlan, FaultyPort
from sim.fault_spec import parse_faults
from sim.worlds import World, make_world

WANTED = {
    "minitaur": {1, 2, 3, 8, 9, 10, 12, 13, 14, 15, 16, 17, 18, 24, 28, 29, 34},
    "claw": {1, 2, 3, 8, 9, 10, 12, 13, 14, 15, 16, 24, 28, 29, 34},
    "claw-pixels": {1, 2, 3, 8, 9, 10, 12, 13, 14, 15, 16, 19, 20, 21, 24, 28, 29, 34},
}
"""Rows of the hazard table that a served twin, signals and the actor can enact."""


@pytest.mark.parametrize("preset", ROBOTS)
def test_every_row_is_enacted_or_left_out_with_a_reason(preset: str) -> None:
    enacted = {case.hazard for case in cases_for(preset)}
    left = left_out(preset)
    assert enacted == WANTED[preset]
    assert enacted | set(left) == set(HAZARDS)
    assert not enacted & set(left)
    assert all(len(reason) > 10 for reason in left.values())


@pytest.mark.parametrize("preset", ROBOTS)
def test_names_are_unique_and_every_phase_is_there(preset: str) -> None:
    cases = cases_for(preset)
    assert max(Counter(case.name for case in cases).values()) == 1
    assert {case.phase for case in cases} == set(Phase)


@pytest.fixture(scope="module", params=["minitaur", "claw"])
def world(request: pytest.FixtureRequest) -> World:
    return make_world(request.param, 0)


def test_the_twin_can_enact_every_fault_and_cable(
    world: World, request: pytest.FixtureRequest
) -> None:
    robot = request.node.callspec.params["world"]
    cameras = world.cameras()
    now, rng = world.clock.now, np.random.default_rng(0)
    twin = Faultable(
        ports={n: FaultyPort(p.device, p.framing, now, rng) for n, p in world.ports.items()},
        plug=lambda name, on: None,
        rng=rng,
        servos=world.servos,
        servo_port=world.servo_port,
        imu=world.imu,
        imu_port=world.imu_port,
        cameras={name: camera.device for name, camera in cameras.items()},
    )
    for preset in (name for name, of in ROBOTS.items() if of == robot):
        for case in cases_for(preset):
            if isinstance(case.injection, TwinFault):
                assert FaultPlan(parse_faults(spec_of(case.injection, preset)), twin)
            elif isinstance(case.injection, Unplug):
                assert case.injection.port in {*world.ports, *cameras}
            elif isinstance(case.injection, Push):
                assert world.push is not None


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{case.presets[0]}")
def test_every_case_can_fail(case: Case) -> None:
    """It names what is to be told, or what else decides."""
    told = bool(case.told) or case.reasons is not Reason.NONE
    silent = case.phase is Phase.IDLE or by_firmware(case) or case.hazard == 28
    assert told or silent
    assert set(case.presets) <= set(ROBOTS)
    if case.level is Level.CUT and case.phase is not Phase.IDLE:
        assert case.stop_s is not None or case.name == "estop-shell"


def test_a_budget_counts_the_tick_in_which_the_fault_falls() -> None:
    assert Budget(ticks=10).limit_s(0.005) == pytest.approx(0.055)
    assert Budget(0.05).limit_s(0.01) == pytest.approx(0.06)


def test_faults_are_chosen_by_name() -> None:
    assert chosen("claw", "all") == cases_for("claw")
    assert chosen("claw", "none") == ()
    names = [case.name for case in chosen("minitaur", "estop-signal, motor-off")]
    assert names == ["motor-off", "estop-signal"]
    with pytest.raises(ConfigError, match=r"no fault 'imu-off' in a rehearsal of claw; valid are"):
        chosen("claw", "imu-off")
    with pytest.raises(ConfigError, match="valid are minitaur, claw, claw-pixels"):
        chosen("gym:Pendulum-v1", "all")
