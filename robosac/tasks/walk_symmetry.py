"""The quadruped in a mirror: left legs become right ones, and roll changes its sign.

A gait and its mirror image are worth the same, so each step that was walked tells of two. Data of
legged robots are doubled this way in, for example, Abdolhosseini et al. 2019 (On Learning Symmetric
Locomotion).
"""

from __future__ import annotations

from robosac.symmetry import Image, Reordering, Symmetry
from robosac.tasks.legs import LEGS

OTHER_SIDE = tuple(
    LEGS.index(leg.replace("left", "right") if "left" in leg else leg.replace("right", "left"))
    for leg in LEGS
)
"""Of each leg, the one across the body."""


def walk_symmetry(history: int) -> Symmetry:
    """The mirror image of `MinitaurWalk` with so many past observations and actions.

    Leg angles have no sign to change: swing and extension count forward and outward on both sides.
    """
    legs = len(LEGS)
    joints = tuple(2 * leg + link for leg in OTHER_SIDE for link in range(2))
    action = (*OTHER_SIDE, *(legs + leg for leg in OTHER_SIDE))
    # Roll, pitch, roll rate, pitch rate follow the joints.
    sensed = (*joints, *range(len(joints), len(joints) + 4))
    sign = (*[1] * len(joints), -1, 1, -1, 1)
    order: list[int] = []
    for block in [sensed] * (history + 1) + [action] * history:
        start = len(order)
        order.extend(start + place for place in block)
    signs = (*sign * (history + 1), *[1] * (len(action) * history))
    mirrored = Image(Reordering(tuple(order), signs), Reordering(action, (1,) * len(action)))
    return Symmetry((mirrored,))
