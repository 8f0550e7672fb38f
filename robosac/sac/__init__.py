"""Soft Actor-Critic (arXiv 1812.05905): learner, networks, inference.

torch is imported only when the learner is asked for: `robosac.sac.policy` acts without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from robosac.sac.agent import Losses, Sac
    from robosac.sac.policy import Policy
    from robosac.sac.settings import SacSettings

__all__ = ["Losses", "Policy", "Sac", "SacSettings"]

_HOMES = {"Losses": "agent", "Policy": "policy", "Sac": "agent", "SacSettings": "settings"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
