"""A policy must be shown enough of the past for the measured latency."""

from __future__ import annotations

import msgspec
import pytest

from calibration.record import Delay
from robosac.errors import ConfigError
from robosac.history import check_history
from tests.calibration.specimens import MEASURED


def late(seconds: float) -> Delay:
    return Delay(count=60, mean_s=seconds, p50_s=seconds, p99_s=seconds, max_s=seconds)


@pytest.mark.parametrize(("delay_s", "history"), [(0.015, 1), (0.099, 5), (0.1, 5)])
def test_enough_is_accepted(delay_s: float, history: int) -> None:
    found = msgspec.structs.replace(MEASURED, latency={"command_to_motion": late(delay_s)})
    check_history(found, history, 0.02, "task.history")


def test_too_little_is_refused_with_what_to_change() -> None:
    found = msgspec.structs.replace(MEASURED, latency={"command_to_motion": late(0.101)})
    with pytest.raises(ConfigError, match=r"101.0 ms.*6 control periods.*raise task.history"):
        check_history(found, 5, 0.02, "task.history")


def test_what_is_seen_in_pictures_is_later() -> None:
    both = {"command_to_motion": late(0.06), "camera": late(0.045)}
    found = msgspec.structs.replace(MEASURED, latency=both)
    check_history(found, 1, 0.1, "task.control_period_s")
    with pytest.raises(ConfigError, match=r"105.0 ms.*2 control periods"):
        check_history(found, 1, 0.1, "task.control_period_s", pixels=True)
    unseen = msgspec.structs.replace(found, latency={"command_to_motion": late(0.06)})
    check_history(unseen, 1, 0.1, "task.control_period_s", pixels=True)


def test_what_was_not_measured_is_not_judged() -> None:
    check_history(MEASURED, 0, 0.02, "task.history")
