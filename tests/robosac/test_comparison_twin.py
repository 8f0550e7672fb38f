"""The twin that a robot is compared with while its latency and its actuators are measured."""

from __future__ import annotations

import pytest

from calibration import nominal
from robosac.actuator_twin import comparison
from robosac.config import load_preset
from robosac.hal import FloatArray
from robosac.robots.claw_file import load_claw_file
from robosac.settings import ClawConfig
from sim import actuator_rollout
from sim.actuator_rollout import ClawRollout
from sim.claw_servo import PRESETS, ServoPreset


def built(monkeypatch: pytest.MonkeyPatch, *overrides: str) -> ServoPreset:
    """The servos that the hand's comparison is built with."""
    seen: list[ServoPreset] = []

    class Seen(ClawRollout):
        def __init__(
            self, p_gain: int, torque: FloatArray, preset: ServoPreset, supply_v: float
        ) -> None:
            seen.append(preset)
            super().__init__(p_gain, torque, preset, supply_v)

    monkeypatch.setattr(actuator_rollout, "ClawRollout", Seen)
    config = load_preset("claw", list(overrides))
    assert isinstance(config, ClawConfig)
    twin, _ = comparison(config, load_claw_file(None), nominal("claw"))
    assert isinstance(twin, Seen)
    return seen[0]


@pytest.mark.parametrize(
    ("overrides", "servos"),
    [
        ((), "robel"),
        (("robot.address=serial",), "xh430"),
        (("robot.address=serial", "twin.servos=identified"), "identified"),
    ],
)
def test_a_hand_behind_ports_is_not_taken_for_robels_soft_model(
    overrides: tuple[str, ...], servos: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert built(monkeypatch, *overrides) is PRESETS[servos]
