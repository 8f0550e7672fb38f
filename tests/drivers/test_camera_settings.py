"""The order in which a camera is told, and what reading back finds."""

from __future__ import annotations

import pytest

from drivers.camera import properties as cp
from drivers.camera.frames import CameraState, SettingMismatch
from drivers.camera.settings import (
    CameraControls,
    CameraSettings,
    SettingsRefused,
    control_steps,
    read_back,
    stream_steps,
)
from drivers.errors import DeviceError, WireClosed
from tests.drivers.camera_bench import CONTROLS, Bench, settings


def test_numbers_are_those_of_opencv() -> None:
    import cv2

    assert cp.POS_MSEC == cv2.CAP_PROP_POS_MSEC
    assert (cp.FRAME_WIDTH, cp.FRAME_HEIGHT) == (
        cv2.CAP_PROP_FRAME_WIDTH,
        cv2.CAP_PROP_FRAME_HEIGHT,
    )
    assert (cp.FPS, cp.FOURCC) == (cv2.CAP_PROP_FPS, cv2.CAP_PROP_FOURCC)
    assert (cp.GAIN, cp.EXPOSURE) == (cv2.CAP_PROP_GAIN, cv2.CAP_PROP_EXPOSURE)
    assert cp.AUTO_EXPOSURE == cv2.CAP_PROP_AUTO_EXPOSURE
    assert (cp.FOCUS, cp.AUTOFOCUS) == (cv2.CAP_PROP_FOCUS, cv2.CAP_PROP_AUTOFOCUS)
    assert cp.BUFFERSIZE == cv2.CAP_PROP_BUFFERSIZE
    assert (cp.AUTO_WB, cp.WB_TEMPERATURE) == (cv2.CAP_PROP_AUTO_WB, cv2.CAP_PROP_WB_TEMPERATURE)
    assert cp.fourcc("MJPG") == cv2.VideoWriter.fourcc(*"MJPG") == 0x47504A4D


def test_the_camera_is_told_in_the_order_that_works() -> None:
    bench = Bench()
    bench.pump.open()
    assert bench.camera.captures[0].log == [
        (cp.FOURCC, 0x47504A4D),
        (cp.FRAME_WIDTH, 64),
        (cp.FRAME_HEIGHT, 48),
        (cp.FPS, 30.0),
        (cp.BUFFERSIZE, 1),
        (cp.AUTO_EXPOSURE, 3),
        (cp.AUTO_EXPOSURE, 1),
        (cp.EXPOSURE, 80),
        (cp.AUTO_WB, 0),
        (cp.WB_TEMPERATURE, 4000),
        (cp.GAIN, 20),
        (cp.AUTOFOCUS, 0),
        (cp.FOCUS, 10),
    ]
    assert bench.pump.status().mismatches == ()


def test_controls_that_a_camera_has_not_got_are_left_alone() -> None:
    controls = CameraControls(0.01, gain=None, white_balance_k=None, focus=None)
    assert [step.name for step in control_steps(controls)] == [
        *("auto_exposure", "auto_exposure", "exposure")
    ]
    assert control_steps(None) == []
    bare = CameraSettings(64, 48, 30.0, controls=None, fourcc=None, buffers=None)
    assert [step.name for step in stream_steps(bare)] == ["width", "height", "fps"]


@pytest.mark.parametrize(
    ("property_id", "name", "wanted", "found"),
    [
        (cp.FOURCC, "fourcc", 0x47504A4D, 0x56595559),
        (cp.FRAME_HEIGHT, "height", 48, 480),
        (cp.BUFFERSIZE, "buffers", 1, 4),
        (cp.AUTO_EXPOSURE, "auto_exposure", 1, 3),
        (cp.AUTO_WB, "auto_white_balance", 0, 1),
        (cp.WB_TEMPERATURE, "white_balance", 4000, 4600),
        (cp.GAIN, "gain", 20, 0),
        (cp.AUTOFOCUS, "autofocus", 0, 1),
        (cp.FOCUS, "focus", 10, 0),
    ],
)
def test_a_property_that_was_not_taken_is_refused(
    property_id: int, name: str, wanted: float, found: float
) -> None:
    bench = Bench()
    bench.faults.refused = frozenset({property_id})
    with pytest.raises(SettingsRefused, match=name) as refused:
        bench.pump.open()
    assert SettingMismatch(name, wanted, found) in refused.value.mismatches
    assert isinstance(refused.value, DeviceError)
    assert not bench.camera.captures[0].isOpened()


def test_a_refused_format_is_told_before_waiting_for_frames() -> None:
    bench = Bench()
    bench.faults.refused = frozenset({cp.FOURCC})
    bench.faults.blocked = True
    with pytest.raises(SettingsRefused, match="fourcc"):
        bench.pump.open()
    assert bench.clock.time == 100.0


def test_a_camera_without_the_control_is_told_from_one_that_has_it() -> None:
    bench = Bench()
    capture = bench.camera.open()
    del capture.properties[cp.FOCUS]
    missing = read_back(capture, control_steps(CONTROLS))
    assert SettingMismatch("focus", 10, -1.0) in missing


def test_not_strict_lists_what_differs_and_goes_on() -> None:
    bench = Bench(settings(strict=False))
    bench.faults.refused = frozenset({cp.GAIN})
    bench.pump.open()
    bench.steps(1)
    status = bench.pump.status()
    assert status.state is CameraState.LIVE
    assert status.mismatches == (SettingMismatch("gain", 20, 0),)


@pytest.mark.parametrize("strict", [True, False])
def test_the_first_real_frames_shape_is_never_taken_on_trust(strict: bool) -> None:
    bench = Bench(settings(strict=strict))
    bench.faults.wrong_size = True
    with pytest.raises(SettingsRefused, match="frame width is 32, wanted 64; frame height is 24"):
        bench.pump.open()


def test_controls_forgotten_when_the_stream_starts_are_found() -> None:
    bench = Bench()
    bench.faults.forgets_controls = True
    with pytest.raises(SettingsRefused, match="auto_exposure is 3, wanted 1"):
        bench.pump.open()


def test_controls_lost_in_the_first_second_are_set_again() -> None:
    bench = Bench()
    bench.pump.open()
    capture = bench.camera.captures[0]
    capture.properties[cp.AUTO_EXPOSURE] = 3.0
    capture.properties[cp.EXPOSURE] = 157.0
    bench.run_until(bench.clock.time + 1.1)
    assert capture.properties[cp.AUTO_EXPOSURE] == 1.0
    assert capture.properties[cp.EXPOSURE] == 80.0
    assert bench.pump.status().state is CameraState.LIVE


def test_controls_that_are_lost_for_good_end_the_stream() -> None:
    bench = Bench()
    bench.pump.open()
    capture = bench.camera.captures[0]
    capture.properties[cp.GAIN] = 99.0
    bench.faults.refused = frozenset({cp.GAIN})
    while bench.pump.status().state is not CameraState.DEAD:
        bench.steps(1)
    assert bench.clock.time == pytest.approx(100.0 + 1.0, abs=0.2)
    assert "gain is 99, wanted 20" in bench.pump.status().detail
    assert not capture.isOpened()


def test_a_camera_that_opens_and_sends_nothing() -> None:
    bench = Bench()
    bench.faults.blocked = True
    with pytest.raises(WireClosed, match="delivers no frame"):
        bench.pump.open()
    assert not bench.camera.captures[0].isOpened()
    bench = Bench()
    bench.faults.undecodable = True
    with pytest.raises(WireClosed, match="cannot be decoded"):
        bench.pump.open()


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 0},
        {"buffers": -1},
        {"fps": 0.0},
        {"fps": float("nan")},
        {"max_age_s": 0.0},
        {"deadline_s": float("inf")},
        {"latency_s": -0.01},
        {"latency_s": 0.2},
        {"output_size": (0, 10)},
        {"warm_up_frames": -1},
        {"frozen_after": 1},
    ],
)
def test_senseless_settings_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be|at least"):
        settings(**changes)


def test_senseless_numbers_are_refused() -> None:
    for exposure in (0.0, float("nan")):
        with pytest.raises(ValueError, match="exposure_s"):
            CameraControls(exposure, None, None, None)
    for code in ("MJP", "MJPEG", "MJP\u00e9"):
        with pytest.raises(ValueError, match="four ASCII"):
            cp.fourcc(code)
