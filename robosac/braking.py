"""How fast a joint may go toward a stop: discrete viability, and the soft zone before the stop.

A plain clamp (acceleration, then velocity, then position) breaks the acceleration bound at a stop.
Here the speed toward a stop is capped so that braking within the bound always remains possible.
With period h, shortest period s <= h that may follow, bound a and room d:

    w <= sqrt(2 a d + a^2 h (h - s)) - a (h - s/2)      (braking takes several periods)
    w <= min(d / h, a s)                                (or one period is enough to stand)

and the larger of the two is safe. For s = h the first line is
a (-h/2 + sqrt(h^2/4 + 2 (d - a h^2/8) / a)). Both lines together keep the set of states
{d >= 0 and (w <= a s or (w - a s / 2)^2 <= 2 a d)} closed for every h >= s, so periods may vary
from tick to tick; tests/robosac/test_safety_proof.py proves it.

Pure, for one joint in plain numbers. Branches stand where `min` and `max` would, which take several
times longer.
"""

from __future__ import annotations

from math import sqrt


def speed_to_stop(room: float, acceleration: float, period: float, shortest: float) -> float:
    """Largest speed (rad/s) during the next period that still lets the joint stop within `room`.

    Args:
        room: distance to the stop, rad, not negative.
        acceleration: bound, rad/s^2.
        period: length of the next period, s.
        shortest: no period after it is shorter, s.
    """
    several = sqrt(
        2.0 * acceleration * room + acceleration * acceleration * (period * (period - shortest))
    ) - acceleration * (period - shortest / 2)
    within_room, within_one = room / period, acceleration * shortest
    single = within_room if within_room < within_one else within_one
    return several if several > single else single


def speed_to_goal(room: float, straight: float, acceleration: float, period: float) -> float:
    """`speed_to_stop` where no period after the next is shorter than it: s = h.

    A goal is no stop: passing it by rounding does no harm, so the present period serves.

    Args:
        room: distance to the goal, rad, not negative.
        straight: speed that is there at the end of the period, `room` / `period`, rad/s.
        acceleration: bound, rad/s^2.
        period: length of the next period, s.
    """
    several = sqrt(2.0 * acceleration * room) - acceleration * (period / 2)
    within_one = acceleration * period
    single = straight if straight < within_one else within_one
    return several if several > single else single


def admissible(wish: float, cap: float, last: float, reach: float) -> float:
    """The velocity nearest to `wish` under the cap toward a stop; all in rad/s, toward it.

    The cap is clipped to what the acceleration bound can reach, so the interval is never empty and
    that bound holds whatever the state.

    Args:
        wish: not negative, so that the cap toward the other stop cannot matter.
        cap: not negative.
        last: velocity of the last step.
        reach: largest change of velocity.
    """
    least, most = last - reach, last + reach
    # A bound that is not a number comes through, rather than being dropped.
    top = cap if cap < most else most
    top = top if top > least else least
    wish = wish if wish > least else least
    return wish if wish < top else top
