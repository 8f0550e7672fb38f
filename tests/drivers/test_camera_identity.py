"""Who a camera is, as the system tells it."""

from pathlib import Path

from drivers.camera.identity import CameraIdentity, camera_identity


def plug(root: Path, node: str, name: str, serial: str | None) -> None:
    device = root / "devices" / f"usb-{node}"
    (device / "interface").mkdir(parents=True)
    if serial is not None:
        (device / "serial").write_text(f"{serial}\n")
    entry = root / "class" / "video4linux" / node
    entry.mkdir(parents=True)
    (entry / "name").write_text(f"{name}\n")
    (entry / "device").symlink_to(device / "interface")


def test_a_link_leads_to_model_and_serial_number(tmp_path: Path) -> None:
    plug(tmp_path, "video0", "HD Pro Webcam", "ABC123")
    plug(tmp_path, "video2", "Cheap Camera", None)
    (tmp_path / "video0").touch()
    link = tmp_path / "usb-HD-video-index0"
    link.symlink_to(tmp_path / "video0")
    assert camera_identity(str(link), tmp_path) == CameraIdentity("HD Pro Webcam", "ABC123")
    assert camera_identity("/dev/video2", tmp_path) == CameraIdentity("Cheap Camera", None)


def test_what_is_not_there_is_nobody_and_a_socket_is_a_socket(tmp_path: Path) -> None:
    assert camera_identity("/dev/video9", tmp_path) is None
    assert camera_identity("unix:/run/camera", tmp_path) == CameraIdentity("socket", None)
    plug(tmp_path, "video1", "", "1")
    assert camera_identity("/dev/video1", tmp_path) is None
