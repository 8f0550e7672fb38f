"""Whether a policy is shown enough of the past for the delays of its robot."""

from __future__ import annotations

from calibration import Calibration
from calibration.latency import needed_history, shifted
from robosac.errors import ConfigError
from robosac.robots.measured import CAMERA, COMMAND_TO_MOTION


def check_history(
    measured: Calibration, history: int, period_s: float, setting: str, pixels: bool = False
) -> None:
    """Refuse a history that ends before the slowest measured command shows its effect.

    Args:
        measured: the robot's calibration; without a measured latency everything is accepted.
        history: past observations that the policy is shown beside the present one.
        period_s: control period, s.
        setting: what can be changed.
        pixels: the motion is seen in pictures, whose delay then counts too; it was measured against
            the joints' readings, in which the command's ends.

    Raises:
        ConfigError: it is too short.
    """
    delay = measured.latency.get(COMMAND_TO_MOTION)
    if delay is None:
        return
    if pixels and CAMERA in measured.latency:
        delay = shifted(delay, delay.mean_s + measured.latency[CAMERA].max_s)
    needed = needed_history(delay, period_s)
    if needed > history:
        raise ConfigError(
            f"{setting}: a command of this robot takes up to {1e3 * delay.max_s:.1f} ms until its"
            f" motion is seen, which is {needed} control periods of {period_s:g} s; the policy is"
            f" shown {history} past observations, so raise {setting}"
        )
