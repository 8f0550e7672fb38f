"""A twin's stage, small and fresh."""

from collections.abc import Callable

import pytest

from robosac.assembly import Stage, make_stage
from robosac.config import load_preset


@pytest.fixture
def make_twin() -> Callable[..., Stage]:
    """Build a stage with overrides such as `task.episode_steps=20`."""

    def make(*overrides: str) -> Stage:
        return make_stage(load_preset("minitaur", overrides))

    return make
