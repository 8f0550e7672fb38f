"""The person beside a twin that is rehearsed with: hands that do what the console's lines ask."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TextIO

from robosac.deeds import Deed, Guide, Hold, Push, Rest, Turn, deed_of
from robosac.errors import RobotError
from robosac.guiding import TURNS

if TYPE_CHECKING:
    from sim.hands import Hands

REACTION_S: Final = 0.5
"""Until hands begin to move after Enter."""
SHARE: Final = 0.5
"""Of the time that is given for a motion, which they take."""
MOST_WAY_RAD: Final = math.pi / 2.0
"""How far they turn a body."""
ATTITUDES: Final = {
    "level, on its feet": (0.0, 0.0),
    "on its back": (math.pi, 0.0),
    "nose down": (0.0, math.pi / 2.0),
    "nose up": (0.0, -math.pi / 2.0),
    "right side down": (math.pi / 2.0, 0.0),
    "left side down": (-math.pi / 2.0, 0.0),
}
"""Roll and pitch of `robosac.guiding.ATTITUDES`, rad."""


class TwinPerson:
    """See `robosac.guiding.Person`.

    Args:
        twin: a twin of ours, in this process.
        joints: its joints' names, in order.
        sink: where it is told what hands are asked to do; None: standard error.
    """

    def __init__(self, twin: object, joints: Sequence[str], sink: TextIO | None = None) -> None:
        self._twin, self._joints = twin, tuple(joints)
        self._sink = sys.stderr if sink is None else sink
        self._hands: Hands | None = None

    def ask(self, line: str) -> None:
        """Do it.

        Raises:
            RobotError: the line asks for nothing that hands can do here.
        """
        self.tell(f"the twin's hands: {line}")
        self._do(deed_of(line))

    def tell(self, line: str) -> None:
        """See `robosac.guiding.Person`."""
        self._sink.write(f"{line}\n")
        self._sink.flush()

    def _do(self, deed: Deed) -> None:
        hands = self._held()
        match deed:
            case Rest():
                hands.bring(self._index(deed.joint), deed.angle_rad)
            case Guide():
                hands.guide(
                    self._index(deed.joint), deed.angle_rad, REACTION_S, SHARE * deed.seconds
                )
            case Push():
                joint = self._index(deed.joint)
                middle = float(hands.posture_rad[joint])
                hands.bring(joint, middle)
                hands.guide(joint, middle + deed.by_rad, REACTION_S, SHARE * deed.seconds)
            case Hold() | Turn():
                self._carry(hands, deed)

    def _carry(self, hands: Hands, deed: Hold | Turn) -> None:
        from sim.hands import BodyHands

        if not isinstance(hands, BodyHands):
            raise RobotError(f"this twin has no body that could be carried: {deed}")
        if isinstance(deed, Hold):
            hands.lift(*ATTITUDES[deed.attitude])
            return
        hands.lift(0.0, 0.0)
        hands.turn(TURNS[deed.how], MOST_WAY_RAD, REACTION_S, SHARE * deed.seconds)

    def _held(self) -> Hands:
        """Hands at the twin, from when they are first needed on."""
        if self._hands is None:
            from sim.claw import ClawTwin
            from sim.hands import hands_at
            from sim.minitaur import MinitaurTwin

            if not isinstance(self._twin, MinitaurTwin | ClawTwin):
                raise RobotError(f"{type(self._twin).__name__} is no twin that hands could hold")
            self._hands = hands_at(self._twin)
        return self._hands

    def _index(self, joint: str) -> int:
        if joint not in self._joints:
            raise RobotError(f"there is no joint {joint!r}; valid are {', '.join(self._joints)}")
        return self._joints.index(joint)
