"""MuJoCo as one name: its binary modules carry no type information for a checker to read."""

from __future__ import annotations

from typing import Any, TypeAlias

import mujoco as _mujoco

mujoco: Any = _mujoco
Model: TypeAlias = Any
"""A `mujoco.MjModel`."""
Data: TypeAlias = Any
"""A `mujoco.MjData`."""
