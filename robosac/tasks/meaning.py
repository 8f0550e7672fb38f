"""What the numbers of each task are: names and units, and the settings that decide their meaning.

A policy or a transition of one run means something in another only where all of this is the same.
Left out of a task's definition is what merely decides when an episode ends without cutting the
value (its length, ages of sensors) and how the robot is set up before one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from robosac.settings import Section, TurnSection, WalkSection
from robosac.tasks.legs import LEGS
from robosac.tasks.turn_definitions import CENTRE, FINGERS, RANGE, SPEED_SCALE, definition_of

Value = float | bool | str
LINKS: Final = ("front", "rear")
LEG_JOINTS: Final = tuple(f"{leg}_{link}" for leg in LEGS for link in LINKS)
FINGER_JOINTS: Final = tuple(f"{part}_{n}" for n in range(3) for part in ("base", "middle", "tip"))
_WALK_ELSEWHERE = frozenset(
    {
        "control_period_s",
        "history",
        "extension_centre_rad",
        "extension_range_rad",
        "swing_centre_rad",
        "swing_range_rad",
    }
)
_WALK_SET_UP = frozenset(
    {
        "episode_steps",
        "stand_up_s",
        "settle_s",
        "reset",
        "get_up_retries",
        "get_up_speed_rad_s",
        "tracker_age_s",
    }
)
_TURN_ELSEWHERE = frozenset({"control_period_s", "pixels", "action", "speed_rad_s"})
_TURN_SET_UP = frozenset({"episode_steps", "frame_age_s", "joint_age_s", "reset"})


@dataclass(frozen=True, slots=True)
class Numbers:
    """A stretch of a vector: `size` numbers for each of `steps` steps, the oldest first."""

    name: str
    unit: str
    size: int
    steps: int = 1


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is seen, done and earned in a task."""

    task: str
    definition: dict[str, Value]
    """Settings that decide reward, ends and what is seen."""
    joints: tuple[str, ...]
    actions: tuple[str, ...]
    seen: tuple[Numbers, ...]
    """The vector, or the vector beside the picture."""
    action_map: dict[str, Value]
    """How an action in [-1, 1] becomes joint targets."""


def walk_meaning(settings: WalkSection) -> Meaning:
    """Of `MinitaurWalk`."""
    history = settings.history
    state = Numbers(
        "8 joint positions, roll, pitch, roll rate, pitch rate", "rad, rad/s", 12, history + 1
    )
    past = (Numbers("executed action", "of [-1, 1]", 8, history),) if history else ()
    return Meaning(
        task="walk",
        definition=_values(settings, _WALK_ELSEWHERE | _WALK_SET_UP),
        joints=LEG_JOINTS,
        actions=tuple(f"{leg}_{what}" for what in ("swing", "extension") for leg in LEGS),
        seen=(state, *past),
        action_map={
            "kind": "swing and extension of each leg, centre + range * action",
            "swing_centre_rad": float(settings.swing_centre_rad),
            "swing_range_rad": float(settings.swing_range_rad),
            "extension_centre_rad": float(settings.extension_centre_rad),
            "extension_range_rad": float(settings.extension_range_rad),
        },
    )


def turn_meaning(settings: TurnSection) -> Meaning:
    """Of `ClawTurn`; without the picture, which its shape tells."""
    paper = settings.definition == "paper"
    fingers, valve = _paper_seen() if paper else _robel_seen()
    relative = definition_of(settings).relative_actions
    action_map: dict[str, Value] = {
        "kind": "beside the joint" if relative else "in the joint's range",
        "speed_rad_s": float(settings.speed_rad_s),
    }
    for name, centre, reach in zip(FINGER_JOINTS, CENTRE, RANGE, strict=True):
        action_map[f"{name}_centre_rad"] = float(centre)
        action_map[f"{name}_range_rad"] = float(reach)
    # ROBEL's definitions take no settings: a weight that is not used must not keep two ends apart.
    own = _values(settings, _TURN_ELSEWHERE | _TURN_SET_UP)
    return Meaning(
        task="turn",
        definition=own if paper else {"definition": settings.definition},
        joints=(*FINGER_JOINTS, "valve"),
        actions=FINGER_JOINTS,
        seen=fingers if settings.pixels else (*fingers, *valve),
        action_map=action_map,
    )


def _paper_seen() -> tuple[tuple[Numbers, ...], tuple[Numbers, ...]]:
    fingers = (
        Numbers("finger position", "of its range", FINGERS),
        Numbers("finger velocity", f"of {SPEED_SCALE:g} rad/s", FINGERS),
    )
    return fingers, (Numbers("sine, cosine of the valve's angle", "1", 2),)


def _robel_seen() -> tuple[tuple[Numbers, ...], tuple[Numbers, ...]]:
    fingers = (
        Numbers("finger position", "rad", FINGERS),
        Numbers("executed action", "of [-1, 1]", FINGERS),
    )
    valve = (
        Numbers("cosine, sine of the valve's angle", "1", 2),
        Numbers("valve's way to the target", "rad", 1),
    )
    return fingers, valve


def _values(section: Section, without: frozenset[str], prefix: str = "") -> dict[str, Value]:
    """Every setting but those, by its path; a setting that is new is in, until it is left out."""
    found: dict[str, Value] = {}
    for name in section.__struct_fields__:
        value = getattr(section, name)
        if name in without:
            continue
        if isinstance(value, Section):
            found.update(_values(value, frozenset(), f"{prefix}{name}."))
        else:
            found[prefix + name] = value if isinstance(value, (bool, str)) else float(value)
    return found
