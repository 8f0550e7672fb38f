"""Checkpoints: whole or absent, whatever happens while they are written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from robosac import checkpoint
from robosac.errors import RunFolderError
from robosac.generators import generator_state, restore_generator

TENSORS: dict[str, np.ndarray[Any, Any]] = {
    "policy.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "transposed": np.arange(6, dtype=np.float64).reshape(2, 3).T,
    "frames": np.arange(7, dtype=np.uint8),
    "ended": np.array([True, False]),
    "updates": np.array(12345678901, np.int64),
    "nothing": np.empty((0, 4), np.float32),
}
DOCUMENT = {"step": 7, "name": "Größe", "nested": {"a": [1, 2.5, None]}}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = checkpoint.folder_for(tmp_path, 7)
    checkpoint.save(folder, TENSORS, DOCUMENT)
    return folder


def test_what_was_saved_comes_back(saved: Path) -> None:
    tensors, document = checkpoint.load(saved)
    assert document == DOCUMENT
    assert tensors.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        assert tensors[name].dtype == value.dtype
        np.testing.assert_array_equal(tensors[name], value)


def test_a_document_comes_back_as_json_has_it(tmp_path: Path) -> None:
    folder = checkpoint.folder_for(tmp_path, 1)
    checkpoint.save(folder, {}, {"pair": (1, 2), "by_id": {10: "a", 9: "b"}})
    assert checkpoint.load(folder)[1] == {"pair": [1, 2], "by_id": {"10": "a", "9": "b"}}


def test_the_file_is_plain_safetensors(saved: Path) -> None:
    tensors = load_file(saved / checkpoint.TENSORS)
    np.testing.assert_array_equal(tensors["transposed"], TENSORS["transposed"])


@pytest.mark.parametrize("where", [0.0, 0.3, 0.7, 0.999])
@pytest.mark.parametrize("file", [checkpoint.TENSORS, checkpoint.DOCUMENT])
def test_a_flipped_bit_is_refused(saved: Path, file: str, where: float) -> None:
    path = saved / file
    data = bytearray(path.read_bytes())
    data[int(where * (len(data) - 1))] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(RunFolderError):
        checkpoint.load(saved)


@pytest.mark.parametrize("file", [checkpoint.TENSORS, checkpoint.DOCUMENT])
def test_a_cut_or_missing_file_is_refused(saved: Path, file: str) -> None:
    path = saved / file
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(RunFolderError, match=file):
        checkpoint.load(saved)
    path.unlink()
    with pytest.raises(RunFolderError, match=file):
        checkpoint.load(saved)


def test_another_format_or_version_is_refused(saved: Path) -> None:
    path = saved / checkpoint.DOCUMENT
    text = path.read_text(encoding="utf-8")
    for old, new in (('"version": 1', '"version": 2'), (checkpoint.FORMAT, "another")):
        path.write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(RunFolderError, match="this version reads"):
            checkpoint.load(saved)
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(RunFolderError, match="this version reads"):
        checkpoint.load(saved)


def test_a_checkpoint_is_never_overwritten(saved: Path) -> None:
    with pytest.raises(FileExistsError, match="never overwritten"):
        checkpoint.save(saved, {}, {})
    assert checkpoint.load(saved)[1] == DOCUMENT


@pytest.mark.parametrize("failing", ["fsync", "rename"])
def test_a_write_that_fails_leaves_the_previous_checkpoint_the_latest(
    tmp_path: Path, saved: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    target = os if failing == "fsync" else Path
    with monkeypatch.context() as patch:
        patch.setattr(target, failing, fail)
        with pytest.raises(OSError, match="no space"):
            checkpoint.save(checkpoint.folder_for(tmp_path, 8), TENSORS, DOCUMENT)
    assert checkpoint.latest(tmp_path) == saved
    # What it left behind hinders neither the next attempt nor stays for ever.
    checkpoint.save(checkpoint.folder_for(tmp_path, 8), TENSORS, {"step": 8})
    assert checkpoint.load(checkpoint.folder_for(tmp_path, 8))[1] == {"step": 8}


def test_everything_is_on_the_disk_before_the_name_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def record_fsync(descriptor: int) -> None:
        events.append(Path(f"/proc/self/fd/{descriptor}").resolve().name)
        fsync(descriptor)

    def record_rename(path: Path, target: Path) -> Path:
        events.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(Path, "rename", record_rename)
    checkpoint.save(checkpoint.folder_for(tmp_path, 1), TENSORS, DOCUMENT)
    written = [checkpoint.TENSORS, checkpoint.DOCUMENT, checkpoint.UNFINISHED + "0000000001"]
    assert events[:4] == [*written, "rename"]
    assert events[4:] == ["checkpoints", tmp_path.name]


def test_latest_and_prune_go_by_step_and_ignore_what_is_unfinished(tmp_path: Path) -> None:
    assert checkpoint.latest(tmp_path) is None
    for step in (5, 100, 20):
        checkpoint.save(checkpoint.folder_for(tmp_path, step), {}, {"step": step})
    left_behind = tmp_path / "checkpoints" / (checkpoint.UNFINISHED + "0000000200")
    left_behind.mkdir()
    assert checkpoint.latest(tmp_path) == checkpoint.folder_for(tmp_path, 100)
    checkpoint.prune(tmp_path, keep=2)
    assert checkpoint.checkpoints(tmp_path) == [
        checkpoint.folder_for(tmp_path, 20),
        checkpoint.folder_for(tmp_path, 100),
    ]
    assert not left_behind.exists()
    with pytest.raises(ValueError, match="keep must be 1 or more"):
        checkpoint.prune(tmp_path, keep=0)


def test_of_one_step_the_one_after_more_updates_is_newer(tmp_path: Path) -> None:
    for step, updates in ((9, 7), (10, 80), (10, 9), (10, 1000)):
        checkpoint.save(checkpoint.folder_for(tmp_path, step, updates), {}, {})
    checkpoint.save(checkpoint.folder_for(tmp_path, 10), {}, {})
    told = [path.name.lstrip("0") for path in checkpoint.checkpoints(tmp_path)]
    assert told == ["9-0000000007", "10", "10-0000000009", "10-0000000080", "10-0000001000"]
    assert [checkpoint.step_of(path) for path in checkpoint.checkpoints(tmp_path)] == [9, *[10] * 4]
    assert checkpoint.step_of(None) == 0


def test_what_json_or_safetensors_cannot_hold_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    folder = checkpoint.folder_for(tmp_path, 1)
    with pytest.raises(ValueError, match="JSON"):
        checkpoint.save(folder, {}, {"loss": float("nan")})
    with pytest.raises(TypeError, match="names is <U1; a checkpoint stores"):
        checkpoint.save(folder, {"names": np.array(["a"])}, {})
    assert checkpoint.latest(tmp_path) is None


def test_a_generators_state_goes_through_a_checkpoint(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    rng.standard_normal(3)
    rng.integers(10, size=1, dtype=np.uint32)
    folder = checkpoint.folder_for(tmp_path, 1)
    checkpoint.save(folder, {"rng": generator_state(rng)}, {})
    other = np.random.default_rng(6)
    restore_generator(other, checkpoint.load(folder)[0]["rng"])
    np.testing.assert_array_equal(other.standard_normal(9), rng.standard_normal(9))
    with pytest.raises(ValueError, match="expected 'MT19937'"):
        restore_generator(np.random.Generator(np.random.MT19937()), generator_state(rng))
