"""Keys are made once: only the tests of the keys themselves change any."""

from __future__ import annotations

import pytest

from robosac.link.key_folder import KeyFolder
from tests.robosac.link.link_rig import laboratory


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, KeyFolder]:
    """Of one laboratory."""
    return laboratory(tmp_path_factory.mktemp("keys") / "laboratory")


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> dict[str, KeyFolder]:
    """Of another laboratory, with the same names."""
    return laboratory(tmp_path_factory.mktemp("keys") / "foreign")
