"""Soft Actor-Critic (arXiv 1812.05905): learner, networks, inference.

torch is imported only when the learner is asked for: `robosac.sac.policy` acts without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from robosac.sac.agent import Sac
    from robosac.sac.learner import Learner, Losses
    from robosac.sac.pixel_agent import PixelSac
    from robosac.sac.pixel_policy import PixelPolicy, policy_from_weights
    from robosac.sac.policy import Policy
    from robosac.sac.settings import (
        FastPixels,
        FastVectors,
        PaperPixels,
        PaperVectors,
        SacSettings,
    )

__all__ = [
    "FastPixels",
    "FastVectors",
    "Learner",
    "Losses",
    "PaperPixels",
    "PaperVectors",
    "PixelPolicy",
    "PixelSac",
    "Policy",
    "Sac",
    "SacSettings",
    "policy_from_weights",
]

_HOMES = {
    "FastPixels": "settings",
    "FastVectors": "settings",
    "Learner": "learner",
    "Losses": "learner",
    "PaperPixels": "settings",
    "PaperVectors": "settings",
    "PixelPolicy": "pixel_policy",
    "PixelSac": "pixel_agent",
    "Policy": "policy",
    "Sac": "agent",
    "SacSettings": "settings",
    "policy_from_weights": "pixel_policy",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
