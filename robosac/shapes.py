"""Types of what is counted and measured in messages: with a cap on each, before anything is built.

They stand alone, so that messages and what messages carry can share them.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

MAX_AXES, MAX_LENGTH = 4, 1 << 16
Count = Annotated[int, Meta(ge=0)]
Shape = Annotated[tuple[Annotated[int, Meta(ge=0, le=MAX_LENGTH)], ...], Meta(max_length=MAX_AXES)]
