"""Whether the actor goes on: never by waiting for the learner within an episode. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from robosac.settings.common import LearnerProcessSection

RESUMED_SHARE = 0.1
"""Part of the allowed debt at which the next episode begins, so that it may run its course."""
SAVED_SHARE = 0.5
"""Part of the buffer at whose filling a checkpoint is asked for out of turn."""


@dataclass(frozen=True, slots=True)
class LinkState:
    """How the learner is, as the actor knows it."""

    behind_steps: float
    """Steps whose updates are outstanding, those it has not yet confirmed included."""
    kept_bytes: int
    """Transitions that no checkpoint holds yet."""
    disk: str | None = None
    """Why transitions should not be put on the disk at present; None: there is room."""
    policy_age_s: float = 0.0
    """Of the newest policy, on the robot's clock."""
    lost_s: float = 0.0
    """For how long it has been dead or silent beyond its heartbeat, s; 0: it answers."""
    failure: str | None = None
    """Why it cannot be started again."""


class Verdict(enum.Enum):
    """What the actor does next."""

    GO_ON = "go_on"
    PAUSE = "pause"
    """End the episode, and wait between episodes, torque off."""
    GIVE_UP = "give_up"
    """End the episode and the training."""


def judge(state: LinkState, settings: LearnerProcessSection, real_time: bool) -> Verdict:
    """Whether the episode may go on.

    A robot in real time goes on without the learner, with the policy it has, for the time that is
    set (hazard 24 of the safety reference). On virtual time nothing is gained by that: there the
    updates outstanding bound it, as they do while the learner answers.
    """
    if state.failure is not None or state.lost_s > settings.without_learner_s:
        return Verdict.GIVE_UP
    if state.disk is not None:
        return Verdict.PAUSE
    if settings.lockstep:
        # Where an episode ends must not depend on how fast the learner is; it is waited for after.
        return Verdict.GO_ON
    if real_time and state.policy_age_s >= settings.policy_age_s:
        return Verdict.PAUSE
    bounded = state.lost_s == 0.0 or not real_time
    if bounded and state.behind_steps >= settings.behind_steps:
        return Verdict.PAUSE
    return Verdict.GO_ON


def may_begin(state: LinkState, settings: LearnerProcessSection, real_time: bool) -> bool:
    """Whether a new episode may begin: there is room for one."""
    if state.disk is not None:
        return False
    if real_time and state.lost_s > 0.0:
        return judge(state, settings, real_time) is Verdict.GO_ON
    if real_time and state.policy_age_s >= settings.policy_age_s:
        return False
    return state.behind_steps <= settings.behind_steps * RESUMED_SHARE


def must_save(state: LinkState, settings: LearnerProcessSection) -> bool:
    """Whether so much is kept that a checkpoint shall hold it, whatever the turn."""
    return state.kept_bytes >= settings.buffer_mb * 1_000_000 * SAVED_SHARE
