"""Demonstrations on disk: whole or absent, and nothing that is read is believed."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file

from robosac import demonstrations_file
from robosac.demonstrations import DemonstrationSet, Interface
from robosac.demonstrations_file import load, read, write
from robosac.errors import ConfigError
from tests.robosac.demonstration_rig import PICTURES, VECTORS, shown


def assert_equal(one: DemonstrationSet, other: DemonstrationSet) -> None:
    for each in fields(DemonstrationSet):
        np.testing.assert_equal(getattr(one, each.name), getattr(other, each.name))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "turn.safetensors"
    write(path, shown())
    return path


def rewrite(path: Path, header: dict[str, Any], **arrays: np.ndarray) -> None:
    """Change parts of a file and make its sum fit again."""
    with safe_open(path, framework="numpy") as opened:
        kept = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        text = json.dumps(json.loads(opened.metadata()["header"]) | header)
    kept = {name: value for name, value in (kept | arrays).items() if value.size}
    digest = demonstrations_file._digest(text, kept)
    save_file(kept, path, {"header": text, "sha256": digest})


@pytest.mark.parametrize("interface", [PICTURES, VECTORS])
def test_what_is_read_is_what_was_written(tmp_path: Path, interface: Interface) -> None:
    path = tmp_path / "turn.safetensors"
    for _ in range(2):
        write(path, shown(interface))
    assert_equal(load(path, interface), shown(interface))
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_the_header_says_what_the_file_is(file: Path) -> None:
    with safe_open(file, framework="numpy") as opened:
        header = json.loads(opened.metadata()["header"])
    ends = header.pop("ends")
    assert ends[:2] == ["terminated", "truncated"]
    assert header == {
        "format": "robosac-demonstrations",
        "version": 1,
        "task": "robosac/ClawTurnPixels-v0",
        "robot": "claw",
        "image_shape": [4, 4, 3],
        "state_dim": 3,
        "action_dim": 2,
        "control_period_s": 0.1,
        "source": "gait",
        "episodes": 3,
        "steps": 18,
        "successes": 2,
    }


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
def test_a_byte_that_changed_is_found_or_did_not_matter(
    file: Path, place: float, change: int
) -> None:
    whole = file.read_bytes()
    data = bytearray(whole)
    data[int(place * len(data))] ^= change
    damaged = file.with_name("damaged.safetensors")
    damaged.write_bytes(data)
    try:
        found = read(damaged)
    except ConfigError:
        return
    assert_equal(found, read(file))


@pytest.mark.parametrize("kept", [0, 7, 100, -1])
def test_a_file_cut_short_is_refused(file: Path, kept: int) -> None:
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(ConfigError, match="damaged"):
        read(file)


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.safetensors"
    with path.open("wb") as file:
        file.truncate(demonstrations_file.MOST_BYTES + 1)
    with pytest.raises(ConfigError, match="may have 4294967296 at most"):
        read(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "absent.safetensors")
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("header", "arrays", "message"),
    [
        ({"version": 2}, {}, "this version reads"),
        ({"steps": 10**12}, {}, "expected"),
        ({"episodes": -1}, {}, "expected"),
        ({"image_shape": None}, {}, "holds .*images"),
        ({"surprise": 1}, {}, "unknown field `surprise`"),
        ({"source": "dream"}, {}, "Invalid enum value 'dream'"),
        (
            {"ends": ["fell"]},
            {},
            r"names the ends \['fell'\]; this version knows terminated, trunc",
        ),
        ({}, {"images": np.ones((21, 4, 4, 3), np.float32)}, "pictures are bytes from 0 to 255"),
        ({}, {"rewards": np.zeros(17, np.float32)}, "rewards is"),
        ({}, {"rewards": np.zeros(0, np.float32)}, "expected .*'rewards'"),
        ({}, {"extra": np.zeros(1)}, "holds .*'extra'"),
        ({}, {"episode_steps": np.array([5, 6, 6])}, "do not add up to 18"),
        ({}, {"episode_steps": np.array([-5, 11, 12])}, "do not add up to 18"),
        ({}, {"episode_steps": np.array([2**63 - 1, 2**63 - 1, 20])}, "do not add up to 18"),
    ],
)
def test_a_header_and_arrays_that_disagree_are_refused(
    file: Path, header: dict[str, Any], arrays: dict[str, np.ndarray], message: str
) -> None:
    rewrite(file, header, **arrays)
    with pytest.raises(ConfigError, match=message):
        read(file)


def test_other_safetensors_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.safetensors"
    save_file({"weight": np.zeros(3)}, path)
    with pytest.raises(ConfigError, match="not a set of demonstrations: it has no header"):
        read(path)


def test_ends_go_by_their_names_not_by_their_numbers(file: Path) -> None:
    rewrite(file, {"ends": ["operator", "truncated", "terminated"]})
    assert [code for code in read(file).ends if code] == [2, 2, 4]
    rewrite(file, {"ends": ["terminated"]})
    assert [code for code in read(file).ends if code] == [255, 255, 1]


def test_loading_tells_what_is_wrong(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"turn.safetensors is not a valid.*this run needs other"):
        load(file, replace(PICTURES, task="other"))
    found = shown()
    write(file, replace(found, rewards=found.rewards * np.float32(np.nan)))
    with pytest.raises(ConfigError, match="episode 0, step 0: the reward is not finite"):
        load(file, PICTURES)
    assert np.isnan(read(file).rewards).all()


def test_what_does_not_fit_its_interface_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "turn.safetensors"
    found = shown()
    with pytest.raises(ValueError, match="rewards is float64"):
        write(path, replace(found, rewards=found.rewards.astype(np.float64)))
    with pytest.raises(ValueError, match="states is"):
        write(path, replace(found, states=found.states[1:]))
    assert not path.exists()
