"""A camera's sensor: from the light that reaches it to the numbers that leave it.

Noise after EMVA 1288 (release 4.0, section 2): a constant part, and one whose variance grows with
the light. No two frames of a real sensor are equal, and a driver tells a frozen camera by that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]

_CODES: Final = 4095
"""A 12-bit converter, before gamma."""
_POOL: Final = 1 << 18
_POOL_SEED: Final = 20
"""What differs from one camera to the next is where in the pool each frame begins."""


@dataclass(frozen=True, slots=True)
class SensorSettings:
    """How a sensor answers to light; full scale is 1.

    Raises:
        ValueError: exposure or gamma is not positive, or a noise is negative.
    """

    exposure: float = 1.0
    """Signal for a radiance of 1."""
    read_noise: float = 0.002
    """Standard deviation in the dark."""
    shot_noise: float = 0.01
    """Standard deviation of the light's own noise at full scale; grows with the signal's root."""
    gamma: float = 2.2
    """A signal is shown as its 1/gamma-th power."""

    def __post_init__(self) -> None:
        if not (self.exposure > 0.0 and self.gamma > 0.0):
            raise ValueError(
                f"exposure and gamma must be positive, got {self.exposure} and {self.gamma}"
            )
        if not (self.read_noise >= 0.0 and self.shot_noise >= 0.0):
            raise ValueError(
                f"noise must be at least 0, got {self.read_noise} and {self.shot_noise}"
            )

    @classmethod
    def noiseless(cls, exposure: float = 1.0) -> SensorSettings:
        """Equal light gives equal numbers: not what a driver takes for a living camera."""
        return cls(exposure=exposure, read_noise=0.0, shot_noise=0.0)


class Sensor:
    """Turns radiance into 8-bit pictures.

    Args:
        settings: how it answers; may be changed with `reset`.
        rng: of the noise.
    """

    def __init__(self, settings: SensorSettings, rng: np.random.Generator) -> None:
        self._pool = np.empty(0, np.float32)
        self.reset(settings, rng)

    def reset(self, settings: SensorSettings, rng: np.random.Generator) -> None:
        """Begin anew with other settings and another generator."""
        self.settings, self._rng = settings, rng
        codes = np.arange(_CODES + 1) / _CODES
        self._shown = np.rint(255.0 * codes ** (1.0 / settings.gamma)).astype(np.uint8)
        self._noisy = settings.read_noise > 0.0 or settings.shot_noise > 0.0
        if self._noisy and not len(self._pool):
            # Drawing afresh for every frame would cost about as much as tracing a small one.
            self._pool = np.random.default_rng(_POOL_SEED).standard_normal(_POOL, np.float32)

    def expose(self, radiance: Floats) -> Image:
        """A picture of `radiance`, linear, 0 to 1 and brighter; uint8 of the same shape."""
        settings = self.settings
        signal = radiance * np.float32(settings.exposure)
        if self._noisy:
            deviation = signal * np.float32(settings.shot_noise**2)
            deviation += np.float32(settings.read_noise**2)
            np.sqrt(deviation, out=deviation)
            deviation *= self._noise(signal.size).reshape(signal.shape)
            signal += deviation
        signal *= np.float32(_CODES)
        # Cut off toward zero below: half a code makes it round.
        signal += np.float32(0.5)
        np.clip(signal, 0.0, _CODES, out=signal)
        return self._shown[signal.astype(np.intp)]

    def _noise(self, size: int) -> Floats:
        if size > _POOL // 2:
            return self._rng.standard_normal(size, np.float32)
        begin = int(self._rng.integers(_POOL - size))
        return self._pool[begin : begin + size]
