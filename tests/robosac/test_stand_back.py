"""Who stands back, and how far."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os
from robosac.stand_back import AUTOGROUP, stand_back
stand_back()
print(os.nice(0), AUTOGROUP.read_text() if AUTOGROUP.exists() else "")
"""
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("leads", [True, False])
def test_a_session_of_its_own_stands_back_as_a_whole(leads: bool) -> None:
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        start_new_session=leads,
    ).stdout
    niceness, _, group = said.strip().partition(" ")
    assert int(niceness) == min(19, os.nice(0) + 10)
    if group and leads:
        assert group.split()[-1] == "10"
