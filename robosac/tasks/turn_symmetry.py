"""The hand turned by a third: each finger becomes the next, and the valve stays as it is.

Fingers stand round the valve's axis at thirds of a turn. Hand and valve turned by a third are the
same hand, each finger where the next one was, and a valve whose three lobes lie where they lay;
only the coloured end has gone on. Which lobe is coloured moves nothing, so a step with the fingers'
roles exchanged and the valve's angle left alone is as true as the step itself, and earns as much.
"""

from __future__ import annotations

from robosac.symmetry import Image, Reordering, Symmetry
from robosac.tasks.turn_definitions import FINGERS

LINKS = 3
"""Joints of a finger."""
BLOCKS = 2
"""Rows of the fingers' numbers that are seen: positions, and speeds or last actions."""


def turn_symmetry(observations: int) -> Symmetry:
    """The two other thirds of `ClawTurn` from its angle, with so many numbers observed."""
    return Symmetry(tuple(_image(observations, finger) for finger in (1, 2)))


def _image(observations: int, by: int) -> Image:
    joints = tuple((joint + by * LINKS) % FINGERS for joint in range(FINGERS))
    seen = tuple(block * FINGERS + joint for block in range(BLOCKS) for joint in joints)
    seen += tuple(range(len(seen), observations))
    return Image(
        Reordering(seen, (1,) * observations),
        Reordering(joints, (1,) * FINGERS),
    )
