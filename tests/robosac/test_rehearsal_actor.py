"""What an actor of a rehearsal asks for in place of actions, and how it waits for its operator."""

import socket
from typing import Any, cast

import numpy as np
import pytest

from robosac.errors import RobotError
from robosac.hal import Fault
from robosac.latch import LatchedFault
from robosac.rehearsal.actor import CENTRE_S, SWAY_RAD, SWAY_S, Asking, Finished, spoilt
from robosac.rehearsal.cases import Spoil
from robosac.rehearsal.link import (
    Cleared,
    Finish,
    FromActor,
    Go,
    LetGo,
    Line,
    Message,
    Ready,
    Resetting,
    SpoilGoals,
    Standing,
    ToActor,
)
from robosac.robots.claw_file import load_claw_file
from robosac.robots.robot_file import load_robot_file
from robosac.safety import is_vector

LEGS, HAND = load_robot_file(None).joint_limits(), load_claw_file(None).joint_limits()


@pytest.mark.parametrize("limits", [LEGS, HAND], ids=["legs", "hand"])
def test_swaying_moves_every_joint_to_both_sides_within_its_limits(limits: Any) -> None:
    for start in (limits.lower + 0.01, limits.upper - 0.01, 0.5 * (limits.lower + limits.upper)):
        centre = spoilt(Spoil.SWAY, start, CENTRE_S, limits)
        times = CENTRE_S + np.linspace(0.0, SWAY_S, 50)
        way = np.array([spoilt(Spoil.SWAY, start, time, limits) for time in times])
        assert (way >= limits.lower).all()
        assert (way <= limits.upper).all()
        assert (way.max(axis=0) - centre >= 0.9 * SWAY_RAD).all()
        assert (centre - way.min(axis=0) >= 0.9 * SWAY_RAD).all()
        np.testing.assert_allclose(spoilt(Spoil.SWAY, start, 0.0, limits), start)


def test_nonsense_is_nonsense() -> None:
    start = np.full(8, 2.0)
    nan, short, far = (
        spoilt(how, start, 0.1, LEGS) for how in (Spoil.NAN, Spoil.SHAPE, Spoil.JUMP)
    )
    assert np.isnan(nan).sum() == 1
    assert not is_vector(short, start.shape)
    assert (np.abs(far - start) > 1.0).all()
    assert (start == 2.0).all()


class FakeExecutor:
    """Latched faults, and a gate."""

    def __init__(self, *faults: str) -> None:
        self.faults = [LatchedFault(Fault(name, "x", "y"), 0.0) for name in faults]
        self.tripped = "estop" in faults
        self.gate = self

    def reset(self) -> None:
        self.tripped = False


class Ends:
    """An operator, and the rehearsal at its other end, which has answered already."""

    def __init__(self, executor: FakeExecutor, *answers: Message) -> None:
        here, there = socket.socketpair()
        self.actor: Line[ToActor] = Line(here, cast(Any, ToActor))
        self.rehearsal: Line[FromActor] = Line(there, cast(Any, FromActor))
        self.asking = Asking(self.actor, cast(Any, executor))
        for answer in answers:
            self.rehearsal.send(answer)

    def said(self) -> list[str]:
        """What kinds of messages the operator has sent; both ends are closed."""
        kinds = [type(message).__name__ for message in self.rehearsal.receive(1.0)]
        self.actor.close()
        self.rehearsal.close()
        return kinds


def test_faults_are_told_before_and_cleared_after_the_operator_was_there() -> None:
    executor = FakeExecutor("estop", "joint_lost")
    ends = Ends(executor, Go())
    ends.asking.place(0, ("estop", "joint_lost", "arming"))
    assert not executor.tripped
    ready, cleared, resetting = ends.rehearsal.receive(1.0)
    assert isinstance(ready, Ready)
    assert ready.faults == ("estop", "joint_lost", "arming")
    # What was not latched is not cleared.
    assert cleared == Cleared(names=("estop", "joint_lost"))
    assert isinstance(resetting, Resetting)
    assert ends.said() == []


def test_a_robot_that_sets_itself_up_asks_once() -> None:
    ends = Ends(FakeExecutor(), Go())
    ends.asking.begin(0)
    assert ends.said() == ["Ready", "Resetting"]
    faulty = Ends(FakeExecutor("bus_dead"))
    faulty.asking.begin(0)
    assert faulty.said() == []


def test_the_body_is_let_go_when_the_operator_says_so() -> None:
    ends = Ends(FakeExecutor())
    assert not ends.asking.released()
    assert not ends.asking.released()
    ends.rehearsal.send(LetGo())
    assert ends.asking.released()
    assert ends.said() == [Standing.__name__]


def test_what_is_wanted_is_heard() -> None:
    ends = Ends(FakeExecutor(), SpoilGoals(how=Spoil.NAN))
    assert not ends.asking.listen(1.0)
    assert ends.asking.spoil is Spoil.NAN
    ends.rehearsal.send(Finish())
    with pytest.raises(Finished):
        ends.asking.listen(1.0)
    assert ends.said() == []


def test_a_rehearsal_that_has_gone_ends_the_actor() -> None:
    ends = Ends(FakeExecutor())
    ends.rehearsal.close()
    with pytest.raises(Finished):
        ends.asking.listen(1.0)
    with pytest.raises(RobotError, match="has gone"):
        ends.asking.place(0, ())
    ends.actor.close()
