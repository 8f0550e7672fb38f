"""The calibration file: YAML under a line with the SHA-256 of everything below it.

    sha256: 0f3c...
    format: 2
    robot: minitaur
    ...

The sum is over the bytes as they stand, so not one of them can change unnoticed. It guards against
damage and against editing by hand; it is no signature. A file with the drawings' numbers (`date:
nominal`) needs none, for it may hold nothing that was measured.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable
from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from calibration.record import FORMAT, Calibration, missing_evidence

MAX_FILE_BYTES: Final = 1_000_000
PREVIOUS: Final = ".previous"
"""Added to a file's name: what stood there before it was last written."""
_SEAL: Final = re.compile(rb"sha256: ([0-9a-f]{64})\n")
_UNREADABLE = (
    yaml.YAMLError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
    RecursionError,
)
"""What the library raises of text that is no YAML, or where a value does not fit its tag."""


class _PlainLoader(yaml.SafeLoader):
    """Safe YAML without aliases and tags, in which a key stands once: else the last would win."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or event.tag is not None:
            raise ValueError(f"line {event.start_mark.line + 1}: aliases and tags are not accepted")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for part, _ in node.value:
            key = self.construct_object(part, deep=True)
            if key in seen:
                raise ValueError(f"key {key!r} stands there twice")
            seen.add(key)
        return super().construct_mapping(node, deep)


class _PlainDumper(yaml.SafeDumper):
    """Safe YAML that writes everything out."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def load(path: Path | str) -> Calibration:
    """Read a calibration file.

    Raises:
        ValueError: the file is not a calibration; the message names the file and the key.
        OSError: the file cannot be read.
    """
    path = Path(path)
    return parse(path.read_bytes(), str(path))


def nominal(robot: str) -> Calibration:
    """The calibration the drawings promise (`calibration/nominal/<robot>.yaml`)."""
    folder = resources.files("calibration") / "nominal"
    file = folder / f"{robot}.yaml"
    if not file.is_file():
        known = sorted(
            entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".yaml")
        )
        raise ValueError(f"no nominal calibration for {robot!r}; known are {', '.join(known)}")
    return parse(file.read_bytes(), f"nominal/{robot}.yaml")


def parse(text: bytes, where: str) -> Calibration:
    """The calibration in `text`, which is of the file `where`.

    Raises:
        ValueError: it is none; in one line, with file and key.
    """
    if len(text) > MAX_FILE_BYTES:
        raise ValueError(
            f"{where} is {len(text)} bytes; a calibration has at most {MAX_FILE_BYTES}"
        )
    seal = _SEAL.match(text)
    body = text if seal is None else text[seal.end() :]
    if seal is not None and seal[1].decode() != hashlib.sha256(body).hexdigest():
        raise ValueError(
            f"{where}: sha256 is not that of the content; it was damaged or edited by hand. Take"
            f" {Path(where).name}{PREVIOUS}, or calibrate anew"
        )
    try:
        document = _read(body)
        if isinstance(document, dict) and "format" not in document:
            raise ValueError(
                f"key format is missing: it was written before version {FORMAT}, without evidence"
                " or checksum; calibrate anew"
            )
        found = msgspec.convert(document, Calibration)
        problem = missing_evidence(found)
        if problem:
            raise ValueError(problem)
    except _UNREADABLE as error:
        detail = " ".join(str(error).split())
        raise ValueError(f"{where} is not a calibration: {detail}") from error
    if found.measured and seal is None:
        raise ValueError(
            f"{where}: its first line is no `sha256: ` with 64 hexadecimal digits, which a measured"
            " calibration has; was it written by hand?"
        )
    return found


def dump(calibration: Calibration) -> bytes:
    """The file's bytes.

    Raises:
        ValueError: it holds a number without evidence, so that no file could.
    """
    problem = missing_evidence(calibration)
    if problem:
        raise ValueError(f"this calibration cannot be written: {problem}")
    document = msgspec.to_builtins(calibration, str_keys=True)
    text = yaml.dump(document, Dumper=_PlainDumper, sort_keys=False, allow_unicode=False)
    body = text.encode("ascii")
    if not calibration.measured:
        return body
    return b"sha256: %b\n%b" % (hashlib.sha256(body).hexdigest().encode(), body)


def _read(body: bytes) -> Any:
    """The one document in `body`; raises one of `_UNREADABLE`."""
    loader = _PlainLoader(body)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
