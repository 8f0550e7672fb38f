"""Where policies are kept: the newest two, each whole or not there, whatever was killed when.

The actor keeps what it got, so that it begins with that after a restart. The learner keeps what it
published. A folder has one user at a time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from robosac.envelope import MAX_BYTES, Sealed, seal, unseal
from robosac.errors import PolicyRefused
from robosac.files import sync_folder, write_whole
from robosac.sac import PixelPolicy, Policy
from robosac.schema import Schema

KEPT: Final = 2
_NAME: Final = re.compile(r"([0-9]{10})\.policy")
_UNFINISHED: Final = re.compile(r"\.[0-9]{10}\.policy\.part")


class PolicyShelf:
    """A folder with the newest two policies, in the order in which they were put there.

    Not by version: a learner that went back to a checkpoint counts on from there.

    Args:
        folder: its own; made when the first policy is put there.
        schema: what a policy must be for.
    """

    def __init__(self, folder: Path, schema: Schema) -> None:
        self._folder, self._schema = folder, schema
        self._sound: list[int] | None = None
        """Numbers of the files that may be fallen back to, oldest first; None: not looked yet."""
        self._newest_sha256: str | None = None
        self.passed_over: tuple[str, ...] = ()
        """What `newest` found and did not take, with the reason, a line each; for the user."""

    def newest(self) -> Sealed | None:
        """The newest policy that passes every check; None: there is none. See `kept`."""
        return next(reversed(self.kept()), None)

    def kept(self) -> list[Sealed]:
        """The newest policies that pass every check, at most two, oldest first.

        What is newer and does not pass is told in `passed_over`.

        Raises:
            OSError: the folder cannot be listed.
        """
        passed_over: list[str] = []
        found: list[tuple[int, Sealed]] = []
        for number in reversed(self._numbers()):
            try:
                found.append((number, unseal(self._read(number), self._schema)))
            except (PolicyRefused, OSError) as error:
                passed_over.append(f"{self._path(number)}: {error}")
            if len(found) == KEPT:
                break
        self.passed_over = tuple(passed_over)
        self._sound = [number for number, _ in reversed(found)]
        self._newest_sha256 = found[0][1].sha256 if found else None
        return [sealed for _, sealed in reversed(found)]

    def check(self, data: bytes) -> Sealed:
        """What an envelope holds, after every check; nothing is kept. Raises PolicyRefused."""
        return unseal(data, self._schema)

    def put(self, data: bytes, like: Policy | PixelPolicy | None = None) -> Sealed:
        """Keep an envelope, after every check of `unseal`; then it survives a power cut.

        The one before it is kept too, older ones go. The newest put again changes nothing, so that
        a link may send one twice.

        Raises:
            PolicyRefused: it is not fit; nothing changed.
            OSError: the disk refuses; the newest on it is the old one, or already this one.
        """
        sealed = unseal(data, self._schema, like)
        self.keep(sealed, data)
        return sealed

    def keep(self, sealed: Sealed, data: bytes) -> None:
        """Keep an envelope as `put` does, whose checks have been made: it gave `sealed`.

        Raises:
            OSError: see `put`.
        """
        if self._sound is None:
            self.newest()
        assert self._sound is not None
        if sealed.sha256 != self._newest_sha256:
            number = max(self._numbers(), default=0) + 1
            self._write(number, data)
            self._sound = [*self._sound, number][-KEPT:]
            self._newest_sha256 = sealed.sha256
        self._prune(self._sound)

    def publish(
        self, policy: Policy | PixelPolicy, version: int, learned: Mapping[str, int]
    ) -> bytes:
        """The learner's: seal a policy that has seen `version` updates, keep it, and return it.

        Args:
            policy: as it is now.
            version: updates it has seen.
            learned: by stream, the last sequence number it was learned from.

        Raises:
            PolicyRefused: no actor would take it.
            OSError: the disk refuses.
        """
        data = seal(policy, version, learned, self._schema)
        self.put(data)
        return data

    def _write(self, number: int, data: bytes) -> None:
        if not self._folder.is_dir():
            self._folder.mkdir(parents=True)
            sync_folder(self._folder.parent)
        try:
            write_whole(self._path(number), data)
        except OSError:
            # A full disk is not made fuller by what could not be finished.
            self._prune(self._sound or [])
            raise

    def _prune(self, kept: list[int]) -> None:
        """Remove what is older, damaged or unfinished; other files are left alone."""
        if not self._folder.is_dir():
            return
        for path in self._folder.iterdir():
            ours = _NAME.fullmatch(path.name)
            over = int(ours[1]) not in kept if ours else _UNFINISHED.fullmatch(path.name)
            if over and path.is_file():
                path.unlink()

    def _read(self, number: int) -> bytes:
        path = self._path(number)
        size = path.stat().st_size
        if not path.is_file() or size > MAX_BYTES:
            raise PolicyRefused(f"{size} bytes are no policy; at most {MAX_BYTES} are")
        return path.read_bytes()

    def _numbers(self) -> list[int]:
        """Of the files that are there, oldest first."""
        if not self._folder.is_dir():
            return []
        found = (_NAME.fullmatch(path.name) for path in self._folder.iterdir())
        return sorted(int(match[1]) for match in found if match)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:010d}.policy"
