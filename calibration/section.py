"""What every part of a calibration file is made of."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Text = Annotated[str, Meta(min_length=1, max_length=100)]
Count = Annotated[int, Meta(ge=1)]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every part of a calibration: frozen, and strict about its keys."""


class DeviceTag(Section, frozen=True):
    """Which device something was measured on."""

    model: Text
    """As the device tells it."""
    serial: Text | None = None
    """None: it tells no serial number."""
