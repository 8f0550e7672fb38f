"""A twin's camera on a Unix socket, and the capture that opens it."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from drivers.camera import properties as cp
from drivers.camera.unix_socket import SocketCamera, SocketCapture, frame_message
from drivers.errors import ProtocolError, WireClosed
from sim.camera_capture import Image, RenderedCamera
from sim.camera_port import CameraPort

SIZE = (8, 6)
FPS = 100.0
PATIENCE_S = 20.0


def picture(now: float) -> Image:
    return np.full((SIZE[1], SIZE[0], 3), round(now * FPS) % 200 + 20, np.uint8)


class Serving:
    """A camera port that a thread turns, as a server does."""

    def __init__(self, folder: Path) -> None:
        self.camera = RenderedCamera(picture, SIZE, FPS, time.monotonic, self._wait_until)
        self.port = CameraPort(self.camera, folder / "camera", time.monotonic)
        self.path = str(folder / "camera")
        self._lock, self._over = threading.Lock(), False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def do(self, what: Callable[[], object]) -> None:
        with self._lock:
            what()

    def close(self) -> None:
        self._over = True
        self._thread.join()
        self.port.close()

    def _run(self) -> None:
        while not self._over:
            with self._lock:
                self.port.turn()
            time.sleep(0.001)

    def _wait_until(self, deadline: float) -> None:
        time.sleep(max(0.0, deadline - time.monotonic()))


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    serving = Serving(tmp_path)
    yield serving
    serving.close()


def test_pictures_arrive_whole_with_their_time(serving: Serving) -> None:
    capture = SocketCamera(serving.port.path)()
    before = time.monotonic()
    for _ in range(5):
        assert capture.grab()
        decoded, image = capture.retrieve()
        assert decoded
        assert image is not None
        stamp = capture.get(cp.POS_MSEC) / 1e3
        assert image.shape == (SIZE[1], SIZE[0], 3)
        # What was drawn tells when it was exposed.
        assert int(image[0, 0, 0]) == pytest.approx(round(stamp * FPS) % 200 + 20, abs=3)
        assert before - 1.0 < stamp <= time.monotonic()
    asked = (cp.FRAME_WIDTH, cp.FRAME_HEIGHT, cp.FPS)
    assert [capture.get(number) for number in asked] == [*SIZE, FPS]
    capture.release()
    assert not capture.isOpened()
    assert not capture.grab()


def test_size_and_rate_are_the_senders(serving: Serving) -> None:
    capture = SocketCamera(serving.port.path)()
    for number in (cp.FRAME_WIDTH, cp.GAIN):
        capture.set(number, 640.0)
    assert capture.get(cp.FRAME_WIDTH) == SIZE[0]
    assert capture.get(cp.GAIN) == 640.0
    capture.release()


def test_an_unplugged_camera_is_gone_and_comes_back(serving: Serving) -> None:
    capture = SocketCamera(serving.port.path)()
    assert capture.grab()
    serving.do(serving.port.unplug)
    end = time.monotonic() + PATIENCE_S
    while capture.grab():
        assert time.monotonic() < end
    with pytest.raises(WireClosed, match="cannot open unix:"):
        SocketCamera(serving.port.path)()
    serving.do(serving.port.plug_in)
    again = SocketCamera(serving.port.path)()
    assert again.grab()
    again.release()
    capture.release()


def test_a_silent_camera_is_waited_for_only_so_long(serving: Serving) -> None:
    serving.camera.faults.blocked = True
    with pytest.raises(WireClosed, match="sends no picture"):
        SocketCapture(serving.path, timeout_s=0.05)


@pytest.mark.parametrize("fault", ["frozen", "black"])
def test_faults_of_the_camera_are_seen(serving: Serving, fault: str) -> None:
    setattr(serving.camera.faults, fault, True)
    capture = SocketCamera(serving.port.path)()
    seen: list[Image] = []
    for _ in range(6):
        assert capture.grab()
        _, image = capture.retrieve()
        assert image is not None
        seen.append(image)
    assert all((image == seen[-1]).all() for image in seen[-3:])
    assert bool(seen[-1].any()) == (fault == "frozen")
    capture.release()


def test_what_is_no_camera_is_refused(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(tmp_path / "other"))
    listener.listen(1)

    def speak() -> None:
        client, _ = listener.accept()
        client.sendall(b"HTTP/1.1 400 Bad Request, and so on\r\n\r\n")
        # Whoever closes with bytes unread resets the connection.
        with suppress(ConnectionResetError):
            client.recv(1)
        client.close()

    thread = threading.Thread(target=speak)
    thread.start()
    with pytest.raises(ProtocolError, match="sends no pictures of ours"):
        SocketCapture(str(tmp_path / "other"))
    thread.join()
    listener.close()


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 1), (0, 4, 3)])
def test_only_pictures_are_sent(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="has shape"):
        frame_message(np.zeros(shape, np.uint8), 30.0, 0.0)


@pytest.mark.parametrize("path", ["/dev/video0", "unix:"])
def test_a_socket_is_named_by_its_scheme(path: str) -> None:
    with pytest.raises(ValueError, match="unix:PATH"):
        SocketCamera(path)
