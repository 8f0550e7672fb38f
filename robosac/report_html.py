"""The parts a report page is made of, as HTML."""

from __future__ import annotations

import base64
import html

from robosac.files import write_whole
from robosac.plot_style import LIGHT, THEMES, Draw, render
from robosac.runs import RunFolder


def plot(run: RunFolder, name: str, draw: Draw, text: str) -> str:
    """Write <name>.png (light) into the run folder; return both themes as one embedded picture.

    Args:
        run: the run.
        name: of the file.
        draw: the plot, in a theme.
        text: what is said where pictures are not shown.
    """
    pictures = {theme.name: render(draw, theme) for theme in THEMES}
    write_whole(run.path / f"{name}.png", pictures[LIGHT.name])
    light, dark = (_data(pictures[theme.name]) for theme in THEMES)
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img src="{light}" alt="{html.escape(text)}"></picture>'
    )


def _data(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def section(title: str, *content: str) -> str:
    """A part of the page under a heading."""
    return "\n".join(("<section>", f"<h2>{title}</h2>", *content, "</section>"))


def note(text: str) -> str:
    """A remark."""
    return f'<p class="note">{html.escape(text)}</p>'


def missing(text: str) -> str:
    """What this run does not have, in words."""
    return f'<p class="missing">{html.escape(text)}</p>'


def table(
    head: tuple[str, ...],
    body: list[tuple[str, ...]],
    published: list[tuple[str, ...]] | None = None,
) -> str:
    """A table; its cells are HTML. `published` rows are set apart."""

    def row(cells: tuple[str, ...], kind: str = "") -> str:
        return f"<tr{kind}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"

    lines = [row(cells) for cells in body]
    lines += [row(cells, ' class="published"') for cells in published or []]
    heads = "".join(f"<th>{cell}</th>" for cell in head)
    rows = "\n".join(lines)
    return (
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )
