"""What `make decoder-fuzz` once found: each of these raised an error that nobody had documented."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from safetensors.numpy import save

from calibration.file import load as load_calibration
from robosac import metrics
from robosac.channel_layout import tick_dtype
from robosac.error_traces import ErrorTraces
from robosac.errors import ConfigError, PolicyRefused, ProtocolError, RobosacError, RunFolderError
from robosac.generators import generator_state, restore_generator
from robosac.link.key_folder import parse_key
from robosac.owner import read_owner
from robosac.policies import parse_policy
from robosac.robots.loading import read_robot_file
from robosac.robots.robot_file import RobotFile
from robosac.stop_socket import parse_answer, parse_order
from robosac.tick_codec import decode, stands
from robosac.yaml_text import YamlError, parse_yaml


@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (1, 1, 1)])
def test_a_policy_of_arrays_with_odd_axes_is_refused(shape: tuple[int, ...]) -> None:
    array = np.zeros(shape, np.float32)
    with pytest.raises(PolicyRefused):
        parse_policy(save({"weight0": array, "bias0": array}), "here")


def test_a_policy_of_a_type_that_numpy_lacks_is_refused() -> None:
    part = {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}
    header = json.dumps({"weight0": part}).encode()
    with pytest.raises(PolicyRefused, match="BF16"):
        parse_policy(len(header).to_bytes(8, "little") + header + bytes(2), "here")


def test_text_that_is_not_utf_8(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b'{"kind":"\xc3"}\n')
    with pytest.raises(RunFolderError, match="line 1 is not a metrics row"):
        metrics.read_rows(file)
    assert read_owner(file) is None
    with pytest.raises(ProtocolError):
        parse_order(b'{"do":"\xff"}')
    with pytest.raises(ValueError, match="not an answer"):
        parse_answer(b'{"\xff":1}')


def test_an_archive_packed_in_another_way(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("time_s.npy", b"x" * 100)
    data = bytearray(packed.getvalue())
    at = data.index(b"PK\x01\x02")
    # Of the central directory: the method (10), and the version that is needed (6).
    for offset, value in ((10, 99), (6, 100)):
        changed = bytearray(data)
        changed[at + offset] = value
        (tmp_path / "e.npz").write_bytes(changed)
        with pytest.raises(RunFolderError):
            ErrorTraces.load(tmp_path / "e.npz")


@pytest.mark.parametrize("size", [0, 1, -1])
def test_a_tick_record_of_another_size(size: int) -> None:
    whole = tick_dtype(3).itemsize
    raw = bytes(size if size >= 0 else whole + 1)
    for read in (lambda: decode(raw, 3, lambda _: None), lambda: stands(raw, 3)):
        with pytest.raises(ValueError, match=f"valid is {whole}"):
            read()


@pytest.mark.parametrize(
    "text",
    ["[]", "{}", "3", '{"bit_generator": "PCG64"}', '{"bit_generator": "PCG64", "state": 3}'],
)
def test_a_random_state_of_another_shape_leaves_the_generator_alone(text: str) -> None:
    rng = np.random.default_rng(3)
    before = generator_state(rng).tobytes()
    with pytest.raises(ValueError, match="random state"):
        restore_generator(rng, np.frombuffer(text.encode(), np.uint8))
    assert generator_state(rng).tobytes() == before


def test_a_random_state_with_a_number_too_large() -> None:
    rng = np.random.default_rng(3)
    document = json.loads(generator_state(rng).tobytes())
    document["state"]["state"] = 1 << 200
    with pytest.raises(ValueError, match="random state"):
        restore_generator(rng, np.frombuffer(json.dumps(document).encode(), np.uint8))


@pytest.mark.parametrize("text", ["? [a]\n: 1", "{[1, 2]: 3}", "? {a: 1}\n: 2"])
def test_a_key_that_is_a_list(text: str) -> None:
    with pytest.raises(YamlError, match="a key must be a single word"):
        parse_yaml(text)


@pytest.mark.parametrize(
    "text", ["date: 2026-99-99", "[" * 400, "a: !!timestamp x", "a: !!bool x", "? [a]\n: 1"]
)
def test_yaml_that_its_own_library_stumbles_over(tmp_path: Path, text: str) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match="is not a calibration"):
        load_calibration(file)
    with pytest.raises(ConfigError):
        read_robot_file(file, "minitaur", RobotFile)


def test_a_private_key_on_an_unknown_curve() -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    # The object identifier of P-256 ends with 1.7; 1.8 is no curve that is known.
    named = pem.replace(bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d030108"))
    text = b"-----BEGIN PRIVATE KEY-----\n" + base64.encodebytes(named)
    with pytest.raises(ConfigError, match="no private key"):
        parse_key(text + b"-----END PRIVATE KEY-----\n", Path("private.key"))


def test_all_of_them_are_errors_of_ours_where_they_come_from_a_network() -> None:
    assert issubclass(ProtocolError, RobosacError)
    assert issubclass(PolicyRefused, RobosacError)
