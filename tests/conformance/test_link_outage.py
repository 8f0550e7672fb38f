"""A short outage, so that the sweep itself is known to work; its long form is in docs/link.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sweeps.link_outage import outage


@pytest.mark.parametrize(("hours", "pixels"), [(0.01, 0), (0.004, 32)])
def test_everything_arrives_once_and_in_order(tmp_path: Path, hours: float, pixels: int) -> None:
    found = outage(tmp_path, hours, pixels, seed=3)
    assert found["lost"] == 0
    assert found["transitions"] > 100
