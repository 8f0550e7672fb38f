"""A twin's stage, small and fresh; and no test meets the robots of whoever runs it."""

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


@pytest.fixture(autouse=True)
def folders_of_our_own(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locks, records and journals stay here, and no executor elsewhere is found and stopped."""
    folder = tmp_path_factory.mktemp("xdg")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    monkeypatch.setattr("robosac.run_folder.elsewhere", lambda: ())
