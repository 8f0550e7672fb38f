"""A measured camera on a command line, and in the twins that are served with it."""

from __future__ import annotations

import pytest

from sim.delays import Delays
from sim.lens import Lens, PlacedLens
from sim.measured_eye import MeasuredEye
from sim.worlds import make_world

LENS = Lens((160, 120), (130.0, 131.0), (80.5, 58.0), (-0.1, 0.02, 0.001, -0.001, 0.0))
PLACED = PlacedLens(LENS, ((0.0, -1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, -1.0)), (0.1, -0.2, 2.3))
DELAYS = Delays(0.03, 0.03, 0.034, 0.035)


@pytest.mark.parametrize("placed", [None, PLACED])
@pytest.mark.parametrize("delays", [None, DELAYS])
def test_what_is_written_is_read(placed: PlacedLens | None, delays: Delays | None) -> None:
    eye = MeasuredEye(placed, delays)
    assert MeasuredEye.of(eye.text()) == eye
    assert "\n" not in eye.text()


@pytest.mark.parametrize(
    "text",
    ["", "{", "{}", "[]", '{"placed": 1, "delays": null}', '{"placed": null, "delays": {"a": 1}}',
     '{"placed": {"lens": {}, "axes": [], "position_m": []}, "delays": null}'],
)  # fmt: skip
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"measured camera|Expecting|unpack"):
        MeasuredEye.of(text)


def test_delays_that_cannot_be_are_refused() -> None:
    text = MeasuredEye(None, DELAYS).text().replace("0.034", "0.01")
    with pytest.raises(ValueError, match="median"):
        MeasuredEye.of(text)


def test_the_served_quadruped_is_looked_at_by_it() -> None:
    """The robot file that is told describes the very camera."""
    camera = make_world("minitaur", 0, MeasuredEye(PLACED, DELAYS)).cameras()["overhead"]
    assert camera.device.size == LENS.size
    sheet = camera.sheet["calibration"]
    assert isinstance(sheet, dict)
    assert sheet["matrix"] == [[130.0, 0.0, 80.5], [0.0, 131.0, 58.0], [0.0, 0.0, 1.0]]
    assert sheet["distortion"] == list(LENS.distortion)
    assert sheet["position"] == list(PLACED.position_m)
    # Columns are the camera's axes.
    assert [row[2] for row in sheet["rotation"]] == [0.0, 0.0, -1.0]
    assert camera.device.transit_s() > DELAYS.least_s + 0.0149


def test_the_served_hand_is_looked_at_by_it_at_its_own_size() -> None:
    plain = make_world("claw", 0).cameras()["hand"].device
    above = MeasuredEye(PlacedLens(LENS, PLACED.axes, (0.0, 0.0, 0.5)))
    seen = make_world("claw", 0, above).cameras()["hand"].device
    assert seen.size == plain.size
    pictures = [device.expose(0.0) for device in (plain, seen)]
    assert pictures[0] is not None
    assert pictures[1] is not None
    assert (pictures[0] != pictures[1]).mean() > 0.5
