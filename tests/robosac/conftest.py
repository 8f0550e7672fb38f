"""A twin's stage, small and fresh; and no test meets the robots of whoever runs it."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from robosac.assembly import Stage, make_stage
from robosac.config import load_preset


@pytest.fixture
def make_twin() -> Callable[..., Stage]:
    """Build a stage with overrides such as `task.episode_steps=20`."""

    def make(*overrides: str) -> Stage:
        return make_stage(load_preset("minitaur", overrides))

    return make


@pytest.fixture(scope="session")
def folder_of_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where every test has its own; pytest would look through all of them for each new one."""
    return tmp_path_factory.mktemp("xdg")


@pytest.fixture(autouse=True)
def folders_of_our_own(folder_of_folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks, records and journals stay here, and no executor elsewhere is found and stopped."""
    folder = Path(tempfile.mkdtemp(dir=folder_of_folders))
    (folder / "run").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder / "run"))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    monkeypatch.setattr("robosac.run_folder.elsewhere", lambda: ())


@pytest.fixture
def run_path(tmp_path: Path) -> Path:
    """Where a run folder may be made."""
    return tmp_path / "run"
