"""What a sweep keeps in a file, a line of JSON each, so that it can be cut and gone on with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def kept(state: Path | None) -> list[dict[str, Any]]:
    """Every line of the file, in order; none where there is no file."""
    if state is None or not state.exists():
        return []
    return [json.loads(line) for line in state.read_text("utf-8").splitlines()]


def keep(state: Path | None, line: dict[str, Any]) -> None:
    """Add a line; nothing where no file is named."""
    if state is not None:
        with state.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
