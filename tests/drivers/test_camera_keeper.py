"""Which pictures are shown, and with what time: no camera and no clock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.camera.frames import CameraFault, Image
from drivers.camera.keeper import FrameKeeper, StampJudge, Verdict
from tests.drivers.camera_bench import PERIOD, SETTINGS, SIZE, scene, settings


def picture(number: int) -> Image:
    """BGR, as decoded."""
    return np.ascontiguousarray(scene(number * PERIOD)[:, :, ::-1])


def at(number: int) -> tuple[float, float]:
    """Arrival and the kernel's stamp of a frame, s."""
    stamp = 50.0 + number * PERIOD
    return stamp + 0.01, stamp


def test_a_good_frame_is_rgb_contiguous_locked_and_stamped_by_the_kernel() -> None:
    keeper = FrameKeeper(settings(latency_s=0.025))
    assert keeper.accept(picture(3), *at(3)) is Verdict.DELIVERED
    frame = keeper.newest
    assert frame is not None
    assert np.array_equal(frame.image, scene(3 * PERIOD))
    assert frame.image.flags.c_contiguous
    assert not frame.image.flags.writeable
    assert frame.time == pytest.approx(50.0 + 3 * PERIOD - 0.025)
    assert (frame.sequence, keeper.host_stamped) == (1, 0)


def test_resized_by_area() -> None:
    keeper = FrameKeeper(settings(output_size=(16, 12)))
    keeper.accept(picture(0), *at(0))
    assert keeper.newest is not None
    expected = scene(0).reshape(12, 4, 16, 4, 3).mean(axis=(1, 3))
    assert keeper.newest.image.shape == (12, 16, 3)
    assert np.abs(keeper.newest.image - expected).max() <= 1


def test_an_equal_picture_is_never_shown_as_new() -> None:
    keeper = FrameKeeper(SETTINGS)
    keeper.accept(picture(0), *at(0))
    first = keeper.newest
    assert keeper.accept(picture(0), *at(1)) is Verdict.IDENTICAL
    assert keeper.fault is None
    assert keeper.accept(picture(0), *at(2)) is Verdict.IDENTICAL
    assert keeper.fault is CameraFault.FROZEN
    assert keeper.newest is first
    assert keeper.accept(picture(3), *at(3)) is Verdict.DELIVERED
    assert keeper.fault is None
    assert (keeper.identical, keeper.delivered) == (2, 2)


def test_one_different_pixel_off_the_sample_is_a_new_picture() -> None:
    keeper = FrameKeeper(SETTINGS)
    image = picture(0)
    keeper.accept(image, *at(0))
    changed = image.copy()
    changed[7, 9, 1] += 1
    assert keeper.accept(changed, *at(1)) is Verdict.DELIVERED


def test_a_source_without_noise_may_repeat_itself_but_not_its_stamp() -> None:
    keeper = FrameKeeper(settings(frozen_after=None))
    for number in range(6):
        assert keeper.accept(picture(0), *at(number)) is Verdict.DELIVERED
    assert keeper.accept(picture(0), *at(5)) is Verdict.IDENTICAL
    assert keeper.accept(picture(9), *at(5)) is Verdict.IDENTICAL


def test_black_is_told_from_dark() -> None:
    keeper = FrameKeeper(settings(black_level=6.0))
    dark, black = np.full((48, 64, 3), 7, np.uint8), np.full((48, 64, 3), 5, np.uint8)
    assert keeper.accept(dark, *at(0)) is Verdict.DELIVERED
    assert keeper.accept(black, *at(1)) is Verdict.BLACK
    assert keeper.fault is CameraFault.BLACK
    # Black pictures are equal as well: the cause stays the name.
    for number in range(2, 8):
        assert keeper.accept(black, *at(number)) is Verdict.IDENTICAL
    assert keeper.fault is CameraFault.BLACK


@pytest.mark.parametrize(
    "image",
    [
        None,
        np.zeros((48, 63, 3), np.uint8),
        np.zeros((48, 64), np.uint8),
        np.zeros((48, 64, 4), np.uint8),
        np.zeros((48, 64, 3), np.uint16),
        np.zeros((0, 0, 3), np.uint8),
    ],
)
def test_what_is_no_picture_of_the_right_shape_is_damaged(image: Image | None) -> None:
    keeper = FrameKeeper(SETTINGS)
    assert keeper.accept(image, *at(0)) is Verdict.DAMAGED
    assert keeper.fault is CameraFault.DAMAGED
    assert keeper.newest is None
    assert keeper.accept(picture(1), *at(1)) is Verdict.DELIVERED


def test_gaps_are_counted_and_the_rate_measured() -> None:
    keeper = FrameKeeper(SETTINGS)
    for number in (0, 1, 2, 5, 6, 8):
        keeper.accept(picture(number), *at(number))
    assert keeper.dropped == 3
    assert keeper.fps == pytest.approx(5 / (8 * PERIOD))


@pytest.mark.parametrize("kernel", [0.0, 49.0, 50.011, 1.7e9])
def test_a_stamp_of_another_clock_is_not_believed(kernel: float) -> None:
    keeper = FrameKeeper(SETTINGS)
    keeper.accept(picture(0), 50.01, kernel)
    assert keeper.newest is not None
    assert (keeper.newest.time, keeper.host_stamped) == (50.01, 1)


def test_an_old_stamp_of_our_clock_stays_old() -> None:
    """A thread that slept a second must not find its frames young."""
    judge = StampJudge()
    assert judge.judge(10.0, 9.98) == (9.98, True, False)
    assert judge.judge(11.0, 10.01) == (10.01, True, False)
    assert judge.judge(11.0, 10.01).repeated
    assert judge.judge(11.0, 5.0) == (11.0, False, False)


@given(
    st.lists(
        st.tuples(st.floats(0.0, 1.0), st.floats(allow_nan=True, allow_infinity=True)),
        max_size=20,
    )
)
def test_no_stamp_lies_in_the_future(moves: list[tuple[float, float]]) -> None:
    judge, now = StampJudge(), 100.0
    for step, kernel in moves:
        now += step
        assert judge.judge(now, kernel).time <= now


def test_the_pause_before_a_new_stream_is_no_gap() -> None:
    keeper = FrameKeeper(SETTINGS)
    keeper.accept(picture(0), *at(0))
    keeper.restart()
    assert keeper.accept(picture(1), *at(300)) is Verdict.DELIVERED
    assert (keeper.dropped, keeper.delivered) == (0, 2)
    assert keeper.newest is not None
    assert keeper.newest.image.shape == (SIZE[1], SIZE[0], 3)


def test_a_new_stream_makes_nothing_new_of_an_old_picture() -> None:
    keeper = FrameKeeper(SETTINGS)
    keeper.accept(picture(0), *at(0))
    keeper.restart()
    assert keeper.accept(picture(0), *at(300)) is Verdict.IDENTICAL
    host, kernel = at(400)
    assert keeper.accept(picture(1), host, kernel - 0.5) is Verdict.DELIVERED
    assert keeper.newest is not None
    assert keeper.newest.time == kernel - 0.5


def test_frames_that_all_came_at_once_have_no_rate() -> None:
    """Whoever has not looked for a while takes them in one go; without stamps that is one time."""
    keeper = FrameKeeper(SETTINGS)
    for number in range(2):
        assert keeper.accept(picture(number), 50.0, 0.0) is Verdict.DELIVERED
    assert keeper.fps == 0.0
    keeper.accept(picture(2), 50.0 + PERIOD, 0.0)
    assert keeper.fps == pytest.approx(2 / PERIOD)
