"""Exposure and white balance from a grey patch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.board import CELLS, PATCH, PATCH_SRGB, BoardFinder, BoardSpec
from calibration.errors import Undetermined
from calibration.exposure import (
    TARGET,
    Reading,
    exposure_set_point,
    read_patch,
    white_balance_set_point,
)

SPEC = BoardSpec()


def reading(
    exposure_s: float, kelvin: float | None = None, power: float = 0.45, right_k: float = 5000.0
) -> Reading:
    """Grey at 110 after 8 ms; red and blue equal at `right_k`."""
    level = 110.0 * (exposure_s / 0.008) ** power
    tilt = 1.0 if kelvin is None else float(np.exp(0.0004 * (1e6 / kelvin - 1e6 / right_k)))
    grey = (level * tilt, level, level / tilt)
    paper = tuple(min(255.0, 1.9 * part) for part in grey)
    clipped = float(max(paper) >= 254.0)
    return Reading(exposure_s, kelvin, grey, (paper[0], paper[1], paper[2]), clipped)


@settings(max_examples=40, deadline=None)
@given(power=st.floats(0.3, 1.2), start=st.floats(0.003, 0.0055))
def test_the_exposure_that_shows_grey_as_grey(power: float, start: float) -> None:
    found = exposure_set_point([reading(start * k, power=power) for k in (1.0, 1.6)], 0.03)
    assert found.value == pytest.approx(0.008, rel=1e-6)
    assert found.slope == pytest.approx(power)
    assert found.misfit < 1e-9
    assert TARGET == 110.0


def test_bright_paper_asks_for_less() -> None:
    def glossy(exposure_s: float) -> Reading:
        base = reading(exposure_s)
        paper = 2.5 * base.grey[1]
        return Reading(exposure_s, None, base.grey, (paper, paper, paper), 0.0)

    found = exposure_set_point([glossy(0.002), glossy(0.004)], 0.03)
    level = 110.0 * (found.value / 0.008) ** 0.45
    assert 2.5 * level == pytest.approx(235.0)


@pytest.mark.parametrize(
    ("readings", "says"),
    [
        ([reading(0.004)], "two or more"),
        ([reading(0.004), reading(0.0045)], "factor of 1.5"),
        ([reading(0.014), reading(0.022)], "clipped in every picture"),
        ([reading(0.004, power=0.0), reading(0.008, power=0.0)], "is the exposure locked"),
        ([reading(1e-4, power=1.0), reading(2e-4, power=1.0)], "too dark"),
        ([reading(0.0005, power=0.4), reading(0.001, power=0.4)], "more light"),
    ],
)
def test_exposures_that_do_not_tell(readings: list[Reading], says: str) -> None:
    with pytest.raises(Undetermined, match=says):
        exposure_set_point(readings, 0.006)


@settings(max_examples=30, deadline=None)
@given(right=st.floats(2500.0, 8000.0))
def test_the_temperature_at_which_grey_has_no_colour(right: float) -> None:
    tries = [reading(0.006, kelvin, right_k=right) for kelvin in (4000.0, 5000.0, 6000.0)]
    assert white_balance_set_point(tries).value == pytest.approx(right, rel=1e-6)


def test_white_balances_that_do_not_tell() -> None:
    one = reading(0.006, 5000.0)
    with pytest.raises(Undetermined, match="two or more"):
        white_balance_set_point([one, one])
    still = [
        Reading(0.006, k, (90.0, 100.0, 95.0), (150.0, 150.0, 150.0), 0.0) for k in (4000.0, 6000.0)
    ]
    with pytest.raises(Undetermined, match="does not change"):
        white_balance_set_point(still)
    far = [reading(0.006, kelvin, right_k=1200.0) for kelvin in (4000.0, 6000.0)]
    with pytest.raises(Undetermined, match="lamps of one colour"):
        white_balance_set_point(far)
    green = [
        Reading(0.006, r.white_balance_k, (r.grey[0], 1.3 * r.grey[1], r.grey[2]), r.paper, 0.0)
        for r in (reading(0.006, k) for k in (4000.0, 6000.0))
    ]
    with pytest.raises(Undetermined, match="too green"):
        white_balance_set_point(green)


def test_the_patch_is_read_where_the_sheet_has_it() -> None:
    cell = 8
    square = CELLS * cell
    picture = np.full((8 * square, 11 * square), 200, np.uint8)
    picture[square : 7 * square, square : 10 * square] = np.kron(
        SPEC.cells(), np.ones((cell, cell), np.uint8)
    )
    left, low, right, high = (round(edge * square) for edge in PATCH)
    picture[7 * square - high : 7 * square - low, square + left : square + right] = PATCH_SRGB
    colour = np.stack([picture, picture // 2, picture // 4], axis=2)
    view = BoardFinder(SPEC).find(colour)
    assert view is not None
    found = read_patch(colour, view, SPEC, 0.01, 4600.0)
    assert found.grey == (PATCH_SRGB, PATCH_SRGB // 2, PATCH_SRGB // 4)
    assert found.paper == (200.0, 100.0, 50.0)
    assert (found.exposure_s, found.white_balance_k, found.clipped) == (0.01, 4600.0, 0.0)
    with pytest.raises(Undetermined, match="outside the picture"):
        read_patch(colour[: 7 * square], view, SPEC, 0.01, None)
    assert read_patch(np.where(colour == 200, 255, colour).astype(np.uint8), view, SPEC, 0.01,
                      None).clipped == 1.0  # fmt: skip
