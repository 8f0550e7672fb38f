"""The rehearsal as an operator, and what it enacts; actor and twin follow a script."""

import pytest

import robosac.rehearsal.enact
import tests.robosac.rehearsal_rig
from robosac.errors import RobotError
from robosac.reasons import Reason
from robosac.rehearsal.cases import Case, Phase, cases_for
from robosac.rehearsal.conductor import Conductor
from robosac.rehearsal.crew import Crew
from robosac.rehearsal.enact import Enactment
from robosac.rehearsal.link import Hello, Progress, Refused
from robosac.rehearsal.stage import Driven, Moment
from robosac.rehearsal.verdict import Seen
from robosac.states import SafetyState
from tests.robosac.rehearsal_rig import Rig

WAIT_S = 20.0
BY_NAME = {case.name: case for case in cases_for("minitaur")}


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robosac.rehearsal.enact, "SETTLED_S", 0.0)
    monkeypatch.setattr(robosac.rehearsal.enact, "LOOK_S", 0.2)


def acting(rig: Rig) -> Conductor:
    conductor = rig.conductor
    conductor.begin()
    assert conductor.until(lambda: conductor.active, WAIT_S)
    return conductor


def play(rig: Rig, name: str, following: Case | None = None):
    return Enactment(acting(rig), {}).play(BY_NAME[name], following)


def progress(*, learner: bool, updates: int = 0) -> Progress:
    return Progress(
        time=1.0, steps=10, episodes=1, policies=0, updates=updates, stored=10, learner=learner,
        learner_pid=0,
    )  # fmt: skip


def test_the_robot_is_set_up_when_it_asks() -> None:
    rig = Rig()
    conductor = acting(rig)
    assert rig.twin.asked[1:] == ["faults", "place 1", "release"]
    assert conductor.phase is Phase.ACTING
    assert conductor.warnings == ("no SCHED_FIFO",)
    assert conductor.newest is not None
    assert conductor.newest.safety is SafetyState.ACTIVE


def test_it_waits_without_torque_while_it_is_held_idle() -> None:
    rig = Rig()
    conductor = rig.conductor
    conductor.begin()
    conductor.hold_idle = True
    assert not conductor.until(lambda: conductor.active, 0.1)
    assert conductor.asked == ()
    conductor.set_up()
    assert conductor.until(lambda: conductor.active, WAIT_S)


def test_a_fault_is_told_cleared_and_recovered_from() -> None:
    rig = Rig()
    outcome = play(rig, "motor-off")
    assert outcome.held, outcome.why
    assert outcome.told[0] == "joint_lost"
    assert outcome.cleared == ("joint_lost",)
    assert outcome.recovered
    assert outcome.stopped_s is not None
    assert "faults servo:3=off" in rig.twin.asked
    assert rig.conductor.active


def test_a_cable_is_put_back() -> None:
    rig = Rig()
    outcome = play(rig, "bus-unplugged")
    assert outcome.recovered
    assert rig.twin.asked.index("plug legs") > rig.twin.asked.index("unplug legs")


def test_a_robot_that_does_not_react_fails() -> None:
    outcome = play(Rig(reacts=False), "motor-off")
    assert not outcome.held
    assert "no reaction of L4 that names the fault" in outcome.why


def test_nonsense_is_asked_for_by_the_actor() -> None:
    outcome = play(Rig(), "action-jump")
    assert outcome.held, outcome.why
    assert outcome.reached == "L1"


def test_an_idle_robot_is_asked_to_arm_with_the_fault() -> None:
    rig = Rig()
    conductor = acting(rig)
    conductor.hold_idle = True
    rig.actor.ask(())
    rig.actor.safety = SafetyState.DISARMED
    outcome = Enactment(conductor, {}).play(BY_NAME["motor-off-idle"], None)
    assert outcome.held, outcome.why
    assert outcome.phase == "idle"
    # It was placed and let go on although the fault was still there.
    broken = rig.twin.asked.index("faults servo:3=off")
    assert rig.twin.asked[broken + 1].startswith("place")


def test_a_robot_that_never_acts_ends_the_rehearsal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robosac.rehearsal.enact, "PATIENCE_S", 0.1)
    rig = Rig()
    rig.conductor.begin()
    rig.twin.broken = "joint_lost"
    rig.twin.ask = lambda command: {  # type: ignore[method-assign]
        "monotonic_s": 0.0, "time_s": 0.0, "driven": False, "motors_driven_s": {},
    }  # fmt: skip
    rig.actor.say(Refused(time=0.0, text="no answer from the motors"))
    with pytest.raises(RobotError, match="never acting; it was last refused with: no answer"):
        Enactment(rig.conductor, {}).play(BY_NAME["motor-off"], None)


def test_a_killed_process_is_replaced_and_its_counts_are_kept() -> None:
    rig = Rig()
    conductor = acting(rig)
    rig.actor.say(progress(learner=True, updates=7))
    conductor.turn()
    outcome = Enactment(conductor, {}).play(BY_NAME["executor-killed"], None)
    assert outcome.recovered
    assert len(rig.actors) == 2
    assert rig.actors[0].ended == 1
    assert (conductor.totals.steps, conductor.totals.updates) == (10, 7)
    assert conductor.totals.skipped == 3


def test_a_learner_that_falls_silent_is_an_event() -> None:
    rig = Rig()
    conductor = acting(rig)
    for learner in (True, False, False):
        rig.actor.say(progress(learner=learner))
        conductor.turn()
    assert [event.name for event in conductor.notes.events] == ["learner_lost"]


def test_a_watchdog_counts_once_and_only_if_nothing_is_broken() -> None:
    rig = Rig()
    conductor = acting(rig)
    tripped = Seen(9, 0.0, SafetyState.FAULT, frozenset({"motor_watchdog"}), Reason.NONE, 0.0)
    rig.actor.ticks = lambda: [tripped]  # type: ignore[method-assign]
    conductor.turn()
    conductor.turn()
    assert conductor.totals.watchdog_trips == 1
    conductor.newest, conductor.broken = None, True
    conductor.turn()
    assert conductor.totals.watchdog_trips == 1


def test_lateness_counts_while_the_robot_is_driven_and_nothing_is_broken() -> None:
    rig = Rig()
    conductor = acting(rig)
    before = conductor.totals.lateness.total
    conductor.turn()
    assert conductor.totals.lateness.total == before + 1
    conductor.broken = True
    conductor.turn()
    conductor.broken, rig.actor.safety = False, SafetyState.DISARMED
    conductor.turn()
    assert conductor.totals.lateness.total == before + 1
    assert conductor.totals.lateness.longest_s == 0.0001


def test_an_actor_that_does_not_start_is_given_up() -> None:
    def start() -> Crew:
        raise RobotError("no port")

    conductor = Conductor(Rig().conductor.stage, start, print)
    with pytest.raises(RobotError, match="3 times in a row: no port"):
        conductor.begin()


def test_a_second_hello_is_refused() -> None:
    rig = Rig()
    conductor = acting(rig)
    hello = Hello(executor_pid=1, period_s=0.1, tilt_limit=None, joints=8, warnings=())
    rig.actor.say(hello)
    with pytest.raises(RobotError, match="what it may not now"):
        conductor.turn()


def test_a_robot_that_falls_before_its_fault_is_told_does_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = iter(["tilt", "joint_lost"])

    class Falling(dict[str, str]):
        def __getitem__(self, key: str) -> str:
            return next(names)

    monkeypatch.setattr(tests.robosac.rehearsal_rig, "FAULT_OF", Falling())
    outcome = play(Rig(), "motor-off")
    assert outcome.held, outcome.why
    assert outcome.anew == 1


def test_only_motors_that_hear_are_waited_for() -> None:
    rig = Rig()
    rig.twin.ask = lambda command: {  # type: ignore[method-assign]
        "monotonic_s": 0.0, "time_s": 5.0, "driven": False,
        "motors_driven_s": {"2": 1.02, "3": 1.1, "4": 0.9},
    }  # fmt: skip
    driven = rig.conductor.stage.driven(Moment(0.0, 1.0), deaf=True)
    assert driven.last_s == pytest.approx(0.1)
    assert driven.hearing_s == pytest.approx(0.02)
    assert rig.conductor.stage.driven(Moment(0.0, 2.0)) == Driven(None, None, driving=False)
