"""Where running executors are found: one private folder for each user."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from robosac.errors import RobotError

NAME = "robosac"


def run_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder for this user, made if need be.

    Raises:
        RobotError: it is somebody else's, or others may enter it.
    """
    return checked(_usual(environment))


def known_folders(environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Every folder in which this user's executors may be: a login by network may set no variable.

    Those that are missing, or not this user's alone, are left out.
    """
    places = (_usual(environment), *elsewhere())
    return [place for place in dict.fromkeys(places) if place.exists() and not _objection(place)]


def elsewhere() -> tuple[Path, ...]:
    """Where executors of this user are that were started with other variables."""
    user = os.getuid()
    return Path(f"/run/user/{user}") / NAME, Path(f"/tmp/{NAME}-{user}")


def checked(folder: Path) -> Path:
    """Make `folder` with mode 0700, or see that it is this user's alone. Raises RobotError."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise RobotError(f"{folder} cannot be made: {error.strerror}") from error
    if objection := _objection(folder):
        raise RobotError(f"{folder} {objection}; remove it, or name another with XDG_RUNTIME_DIR")
    return folder


def _usual(environment: Mapping[str, str]) -> Path:
    given = environment.get("XDG_RUNTIME_DIR")
    return Path(given) / NAME if given else Path(f"/tmp/{NAME}-{os.getuid()}")


def _objection(folder: Path) -> str:
    """What is wrong with who may enter `folder`; empty when nothing is."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        return "is not a folder"
    if found.st_uid != os.getuid():
        return f"belongs to user {found.st_uid}, not to {os.getuid()}"
    if found.st_mode & 0o077:
        return f"has mode {stat.S_IMODE(found.st_mode):04o}; valid is 0700"
    return ""
