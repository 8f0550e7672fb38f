"""The picture of a comparison."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from robosac.peers import chart
from robosac.peers.comparison import Report
from robosac.plot_style import LIGHT
from tests.robosac.peers.peers_rig import EVERYBODY, FakeStage


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Report:
    monkeypatch.setattr("robosac.peers.catalogue.find_spec", lambda name: object())
    return FakeStage(EVERYBODY).report()


def test_it_is_a_png_with_robosacs_bars_in_its_own_colour(report: Report) -> None:
    decoded = cv2.imdecode(np.frombuffer(chart.picture(report), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    height, width, _ = decoded.shape
    assert width > 1000
    assert height > 500
    blue = np.array([int(LIGHT.blue[i : i + 2], 16) for i in (5, 3, 1)], np.uint8)
    assert (decoded == blue).all(axis=2).sum() > 5000


def widths(axes: Axes) -> list[float]:
    """Of the bars, from the top."""
    return [bar.get_width() for bar in axes.patches if isinstance(bar, Rectangle)]


def test_bars_are_as_long_as_the_figures_and_named(report: Report) -> None:
    figure = chart.draw(report, LIGHT)
    left, right = figure.axes[:2]
    assert [label.get_text() for label in left.get_yticklabels()] == list(EVERYBODY)
    assert widths(left) == pytest.approx([1 / seconds for seconds in EVERYBODY.values()])
    texts = [text.get_text() for text in left.texts]
    assert texts[0].split() == ["1,000", "(4.00x)"]
    assert widths(right) == pytest.approx([3.0] * len(EVERYBODY), rel=1e-3)


def test_memory_that_is_not_known_is_not_drawn_as_none(report: Report) -> None:
    row = report.updates[0]
    unknown = {
        name: msgspec.structs.replace(found, resident_mb=None)
        for name, found in row.contenders.items()
    }
    rows = [msgspec.structs.replace(row, contenders=unknown)]
    figure = chart.draw(msgspec.structs.replace(report, updates=rows), LIGHT)
    assert [text.get_text() for text in figure.axes[1].texts] == ["not known"] * len(EVERYBODY)
