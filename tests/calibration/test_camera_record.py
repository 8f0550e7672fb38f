"""A camera in the calibration file: strict, sealed, and with its evidence."""

import hashlib
import math

import msgspec
import numpy as np
import pytest

from calibration.camera_record import MeasuredCamera
from calibration.file import dump, parse
from calibration.record import Calibration, DeviceTag, Evidence
from tests.calibration.specimens import MEASURED

CAMERA = MeasuredCamera(
    date="2026-02-01",
    device=DeviceTag(model="HD Webcam", serial="A1"),
    size=(1280, 720),
    focal_px=(910.0, 911.0),
    centre_px=(640.0, 355.0),
    distortion=(-0.1, 0.02, 0.001, -0.001, 0.0),
    attitude=(0.0, math.sqrt(0.5), -math.sqrt(0.5), 0.0),
    position_m=(0.1, -0.2, 2.5),
    exposure_s=0.004,
    gain=20.0,
    white_balance_k=4600.0,
    focus=0.0,
)
EVIDENCE = Evidence(samples=900, residuals={"reprojection_rms_px": 0.1})


def with_camera(**parts: object) -> Calibration:
    evidence = {**MEASURED.evidence, "camera_tracker": EVIDENCE}
    camera = msgspec.structs.replace(CAMERA, **parts)
    return msgspec.structs.replace(MEASURED, cameras={"tracker": camera}, evidence=evidence)


def test_a_camera_survives_the_file_and_the_sum_covers_it() -> None:
    data = dump(with_camera())
    found = parse(data, "x")
    assert found == with_camera()
    with pytest.raises(ValueError, match="sha256"):
        parse(data.replace(b"910.0", b"911.0"), "x")


def test_matrix_and_rotation_are_as_told() -> None:
    np.testing.assert_array_equal(CAMERA.matrix, [[910, 0, 640], [0, 911, 355], [0, 0, 1]])
    # Half a turn about the bisector of x and -y: x to -y, y to -x, z down.
    np.testing.assert_allclose(CAMERA.rotation, [[0, -1, 0], [-1, 0, 0], [0, 0, -1]], atol=1e-12)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"attitude": (1.0, 1.0, 0.0, 0.0)}, "unit quaternion"),
        ({"centre_px": (1300.0, 300.0)}, "outside the picture"),
        ({"centre_px": (float("nan"), 300.0)}, "finite"),
        ({"position_m": (0.0, 0.0, float("inf"))}, "finite"),
        ({"date": "soon"}, "valid is such as"),
    ],
)
def test_numbers_that_cannot_be(parts: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        with_camera(**parts)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b"    focus: 0.0\n", b"    focus: 0.0\n    zoom: 1\n", "zoom"),
        (b"  tracker:\n    date", b"  other:\n    date", "other"),
        (b"    - 1280\n", b"    - 0\n", ">= 1"),
        (b"    exposure_s: 0.004\n", b"", "exposure_s"),
    ],
)
def test_the_section_is_read_strictly(old: bytes, new: bytes, says: str) -> None:
    body = dump(with_camera()).split(b"\n", 1)[1]
    assert old in body
    changed = body.replace(old, new, 1)
    sealed = b"sha256: %b\n%b" % (hashlib.sha256(changed).hexdigest().encode(), changed)
    with pytest.raises(ValueError, match=says):
        parse(sealed, "x")


def test_a_camera_without_evidence_is_no_measurement() -> None:
    bare = msgspec.structs.replace(MEASURED, cameras={"tracker": CAMERA})
    with pytest.raises(ValueError, match=r"cameras\.tracker and evidence\.camera_tracker"):
        dump(bare)
    lone = {**MEASURED.evidence, "camera_hand": EVIDENCE}
    with pytest.raises(ValueError, match=r"cameras\.hand"):
        dump(msgspec.structs.replace(MEASURED, evidence=lone))
