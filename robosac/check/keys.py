"""Keys that the settings or the call name: there, private, fitting, not expired."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from robosac.check.row import Level, Row, judged
from robosac.errors import ConfigError

KEEPALIVE, CERTIFICATES = "keepalive key", "certificates"
_PRIVATE: Final = "there, mode 0600, whole"


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What became of a key or a folder of them."""

    path: str
    """Empty: the settings name none."""
    problem: str = ""
    owner: str = ""
    """Whom the certificate names."""
    days_left: float = 0.0
    """Of the certificate, days."""
    ends_soon: bool = False
    """As the link warns of it (`robosac.link.key_folder.WARN_DAYS`)."""


def keepalive_row(facts: KeyFacts) -> Row:
    """The key of the remote keep-alive endpoints."""
    if not facts.path:
        return judged(KEEPALIVE, Level.GREEN, "none is needed: no endpoints", _PRIVATE, "")
    if facts.problem:
        remedy = "robosac keepalive --make-key, or copy it anew with mode 0600"
        return judged(KEEPALIVE, Level.RED, facts.problem, _PRIVATE, remedy)
    return judged(KEEPALIVE, Level.GREEN, facts.path, _PRIVATE, "")


def certificates_row(facts: KeyFacts) -> Row:
    """The folder of keys for the link to a learner."""
    valid = "private, of one authority, key and certificate matching, not expired"
    remedy = "robosac keys issue LABORATORY --role robot --name NEW-NAME, then copy its folder here"
    if not facts.path:
        return judged(CERTIFICATES, Level.GREEN, "none named (--keys FOLDER)", valid, "")
    if facts.problem:
        return judged(CERTIFICATES, Level.RED, facts.problem, valid, remedy)
    level = Level.AMBER if facts.ends_soon else Level.GREEN
    found = f"{facts.path}, of {facts.owner}, {facts.days_left:.0f} days left"
    return judged(CERTIFICATES, level, found, valid, remedy)


def probe_keepalive(path: str | None) -> KeyFacts:
    """Read the key of the endpoints, and forget it."""
    if path is None:
        return KeyFacts("")
    from robosac.keepalive import read_key

    return _tried(path, lambda: (read_key(Path(path)), KeyFacts(path))[1])


def probe_certificates(folder: Path | None, now: datetime.datetime) -> KeyFacts:
    """Read a folder of keys as the link does.

    Args:
        folder: as `robosac keys issue` made it; None: none is named.
        now: the wall clock, with a time zone.
    """
    if folder is None:
        return KeyFacts("")
    # Only here, for it brings the package cryptography along.
    from robosac.link.key_folder import read_key_folder

    def read() -> KeyFacts:
        found = read_key_folder(folder, now)
        soon = bool(found.warning)
        return KeyFacts(str(folder), "", str(found.peer), found.days_left, soon)

    return _tried(str(folder), read)


def _tried(path: str, read: Callable[[], KeyFacts]) -> KeyFacts:
    try:
        return read()
    except ConfigError as error:
        return KeyFacts(path, str(error))
