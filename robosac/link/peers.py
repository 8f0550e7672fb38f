"""Who is at the other end: a role and a name, as a certificate has them in one URI. Pure."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Final

from robosac.errors import ConfigError

SCHEME: Final = "robosac://"
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class Role(enum.Enum):
    """What a certificate is for."""

    ROBOT = "robot"
    """Sends experience; the only one that may open a session."""
    LEARNER = "learner"
    """The server."""
    VIEWER = "viewer"
    """Only watches."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Role and name.

    Raises:
        ConfigError: a name that cannot be.
    """

    role: Role
    name: str
    """Lower-case letters, digits and hyphens, at most 63; `local` where there are no keys."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"name {self.name[:80]!r}: valid are 1 to 63 of a-z, 0-9 and -, such as minitaur-1"
            )

    @property
    def uri(self) -> str:
        """As the certificate has it (subject alternative name)."""
        return f"{SCHEME}{self.role.value}/{self.name}"

    def __str__(self) -> str:
        return f"{self.role.value} {self.name}"


LOCAL: Final = "local"
"""Name of whoever is at the other end of a connection without keys."""


def parse_role(text: str) -> Role:
    """The role of that name. Raises ConfigError: there is none."""
    try:
        return Role(text)
    except ValueError:
        valid = ", ".join(role.value for role in Role)
        raise ConfigError(f"role {text[:40]!r} does not exist; valid are {valid}") from None


def parse_uri(uri: str) -> Peer:
    """The peer that a certificate's URI names. Raises ConfigError: it names none."""
    role, slash, name = uri.removeprefix(SCHEME).partition("/")
    if not uri.startswith(SCHEME) or not slash:
        raise ConfigError(f"certificate URI {uri[:120]!r}; valid is {SCHEME}ROLE/NAME")
    return Peer(parse_role(role), name)
