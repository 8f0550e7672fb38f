"""Checkpoints: a whole state on disk, or none.

A checkpoint is a folder with `state.safetensors` and `checkpoint.json`; the second holds the
caller's document, and the sums that reveal damage. It is written beside its place, forced to the
disk and renamed, so a folder with a checkpoint's name is complete whatever was killed when.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from robosac.errors import RunFolderError
from robosac.files import sync_folder

Array = NDArray[Any]
FORMAT, VERSION = "robosac-checkpoint", 1
TENSORS, DOCUMENT = "state.safetensors", "checkpoint.json"
NAME = re.compile(r"[0-9]+(-[0-9]+)?")
"""Of a complete checkpoint: `folder_for`; sorted by name they are sorted by age."""
UNFINISHED = ".unfinished-"
"""Prefix of a folder that is being written; what a crash leaves is removed by the next `prune`."""
# Names of the safetensors format's element types.
DTYPES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bool": "BOOL",
    "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8",
    "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8",
}  # fmt: skip


def save(folder: Path, tensors: Mapping[str, Array], document: Mapping[str, Any]) -> None:
    """Write arrays and a JSON document as one checkpoint at `folder`, which must not exist yet.

    When it returns, the checkpoint is on the disk and survives a power cut.

    Raises:
        FileExistsError: the folder exists.
        TypeError, ValueError: an array's type, or something in the document, cannot be stored.
        OSError: the disk is full or not writable; no checkpoint appears.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} exists; a checkpoint is never overwritten")
    # As it will be read: tuples become lists and keys strings, which the sum depends on.
    document = json.loads(json.dumps(document, allow_nan=False))
    unfinished = folder.with_name(UNFINISHED + folder.name)
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(parents=True)
    size, digest = _write_tensors(unfinished / TENSORS, tensors)
    content = {"tensors": {"size": size, "sha256": digest}, "document": document}
    manifest = {"format": FORMAT, "version": VERSION, "sha256": _digest(content), **content}
    with (unfinished / DOCUMENT).open("w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1, allow_nan=False)
        _to_disk(file)
    sync_folder(unfinished)
    unfinished.rename(folder)
    sync_folder(folder.parent)
    sync_folder(folder.parent.parent)  # the first checkpoint of a run made its parent


def load(folder: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read a checkpoint back, after checking that it is whole.

    Raises:
        RunFolderError: it is missing, damaged, or of a format this version does not read.
    """
    manifest = _manifest(folder)
    path = folder / TENSORS
    expected = manifest["tensors"]
    size = path.stat().st_size if path.is_file() else None
    if size != expected["size"]:
        raise RunFolderError(f"{path} holds {size} bytes; its manifest says {expected['size']}")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != expected["sha256"]:
        raise RunFolderError(f"{path} is damaged: SHA-256 {digest}, expected {expected['sha256']}")
    try:
        return load_file(path), manifest["document"]
    except SafetensorError as error:
        raise RunFolderError(f"{path} is not a safetensors file: {error}") from error


def read_document(folder: Path) -> dict[str, Any]:
    """Only the document of a checkpoint, after checking that one; `load` checks the arrays too.

    Raises:
        RunFolderError: it is missing, damaged, or of a format this version does not read.
    """
    return _manifest(folder)["document"]


def folder_for(run: Path, step: int, updates: int | None = None) -> Path:
    """Where the checkpoint taken at environment step `step` of a run stands.

    A learner that is behind makes several of one step, told apart by its updates.
    """
    name = f"{step:010d}" if updates is None else f"{step:010d}-{updates:010d}"
    return run / "checkpoints" / name


def step_of(folder: Path | None) -> int:
    """The environment step that a checkpoint was taken at; 0: there is none."""
    return 0 if folder is None else int(folder.name.partition("-")[0])


def checkpoints(run: Path) -> list[Path]:
    """The complete checkpoints of a run, oldest first."""
    place = run / "checkpoints"
    if not place.is_dir():
        return []
    found = (path for path in place.iterdir() if NAME.fullmatch(path.name) and path.is_dir())
    return sorted(found, key=lambda path: path.name)


def latest(run: Path) -> Path | None:
    """The newest complete checkpoint of a run, if it has one."""
    found = checkpoints(run)
    return found[-1] if found else None


def prune(run: Path, keep: int) -> None:
    """Remove all but the newest `keep` checkpoints, and what interrupted writes left behind.

    Raises:
        ValueError: `keep` is below 1.
    """
    if keep < 1:
        raise ValueError(f"keep must be 1 or more, got {keep}")
    for path in checkpoints(run)[:-keep]:
        # Renamed first: a removal cut short must not leave half of one under a whole one's name.
        doomed = path.with_name(UNFINISHED + path.name)
        path.rename(doomed)
    for path in (run / "checkpoints").glob(UNFINISHED + "*"):
        shutil.rmtree(path)


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / DOCUMENT
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunFolderError(f"{folder} is not a checkpoint: it has no {DOCUMENT}") from error
    except ValueError as error:
        raise RunFolderError(f"{path} is damaged: {error}") from error
    found = (
        (manifest.get("format"), manifest.get("version")) if type(manifest) is dict else manifest
    )
    if found != (FORMAT, VERSION):
        raise RunFolderError(f"{path} is {found}; this version reads {(FORMAT, VERSION)}")
    content = {key: manifest.get(key) for key in ("tensors", "document")}
    if _digest(content) != manifest.get("sha256"):
        raise RunFolderError(f"{path} is damaged: its content does not match its SHA-256")
    return content


def _digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _write_tensors(path: Path, tensors: Mapping[str, Array]) -> tuple[int, str]:
    """Stream arrays to a safetensors file and return its size (bytes) and SHA-256.

    The library would copy every array first; a replay buffer may fill half of the memory.
    """
    # Widest elements first keeps every array aligned to its own element size.
    names = sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))
    header: dict[str, Any] = {}
    offset = 0
    for name in names:
        array = tensors[name]
        if array.dtype.name not in DTYPES:
            raise TypeError(f"{name} is {array.dtype}; a checkpoint stores {', '.join(DTYPES)}")
        header[name] = {
            "dtype": DTYPES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    sha = hashlib.sha256()
    with path.open("wb") as file:
        for part in (len(encoded).to_bytes(8, "little"), encoded):
            file.write(part)
            sha.update(part)
        for name in names:
            data = np.ascontiguousarray(tensors[name]).reshape(-1).view(np.uint8)
            file.write(data.data)
            sha.update(data.data)
        _to_disk(file)
        return file.tell(), sha.hexdigest()


def _to_disk(file: IO[Any]) -> None:
    file.flush()
    os.fsync(file.fileno())
