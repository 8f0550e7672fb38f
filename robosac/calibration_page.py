"""What a person gets to see of a calibration: a picture and a page beside its file."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from robosac.errors import ConfigError
from robosac.files import write_whole

if TYPE_CHECKING:
    from robosac.plot_style import Draw

_STYLE: Final = (
    "body{font-family:system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color-scheme:light dark}img{max-width:100%}table{border-collapse:collapse}"
    "td,th{padding:.2rem .7rem;text-align:right}td:first-child,th:first-child{text-align:left}"
)


def page(out: Path, kind: str, title: str, draw: Draw, text: str) -> Path:
    """Write OUT.KIND.png, and OUT.KIND.html which holds it too; the page's path.

    Args:
        out: the calibration file.
        kind: what was measured, for the names.
        title: of the page, plain text.
        draw: the picture.
        text: HTML above the picture.

    Raises:
        ConfigError: they cannot be written.
    """
    # Only here: it takes a while to load.
    from robosac.plot_style import LIGHT, render

    png = render(draw, LIGHT)
    picture = base64.b64encode(png).decode()
    told = html.escape(title)
    content = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{told}</title>'
        f"<style>{_STYLE}</style><h1>{told}</h1><p>{html.escape(out.name)}</p>{text}"
        f'<img alt="{told}" src="data:image/png;base64,{picture}"></html>\n'
    )
    path = out.with_name(f"{out.name}.{kind}.html")
    try:
        write_whole(out.with_name(f"{out.name}.{kind}.png"), png)
        write_whole(path, content.encode())
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error}") from error
    return path


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """An HTML table; cells are HTML already."""
    heads = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{c}</td>' for c in row)}</tr>\n" for row in rows)
    return f"<table><tr>{heads}</tr>\n{body}</table>"
