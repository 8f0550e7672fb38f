"""Where a link listens or goes to: `host:port` or `unix:PATH`. Pure; asks no name service."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from robosac.errors import ConfigError

VALID: Final = "valid are HOST:PORT, such as 127.0.0.1:47820 or [::1]:47820, and unix:/PATH"
_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?:\.(?!-)[A-Za-z0-9-]{1,63})*")
_PORT: Final = re.compile(r"[0-9]{1,5}")
_LONGEST_PATH: Final = 107
"""bytes; unix(7): 108 with the zero at the end."""
_LONGEST_NAME: Final = 253
"""RFC 1035, section 2.3.4, without the dot at the end."""


@dataclass(frozen=True, slots=True)
class Address:
    """One end of a link; make one with `parse_address`."""

    host: str
    """An IP address without brackets, or a name; empty: a Unix socket."""
    port: int
    """TCP; 0 lets a server choose."""
    path: str = ""
    """Of a Unix socket, absolute."""

    @property
    def ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The host, where it is an IP address."""
        return _ip(self.host)

    @property
    def is_loopback(self) -> bool:
        """Whether nothing but this computer can be at the other end.

        Decided by the address alone: a name, `localhost` too, is what a name service makes of it.
        """
        if self.path:
            return True
        ip = self.ip
        if isinstance(ip, ipaddress.IPv6Address):
            return ip == ipaddress.IPv6Address("::1") and ip.scope_id is None
        return ip is not None and ip.is_loopback

    @property
    def target(self) -> str:
        """As gRPC names it to a client, with its kind, so that nothing is guessed."""
        if self.path:
            return f"unix:{self.path}"
        ip = self.ip
        if ip is None:
            return f"dns:///{self}"
        return f"ipv{ip.version}:{self}"

    def with_port(self, port: int) -> Address:
        """The same with another TCP port."""
        return Address(self.host, port, self.path)

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """The address that `text` names.

    Raises:
        ConfigError: it names none; says what is valid.
    """
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        whole = path.startswith("/") and path.isprintable() and not path.endswith("/")
        if not whole or len(path.encode(errors="replace")) > _LONGEST_PATH:
            raise ConfigError(
                f"address {text[:200]!r}: a socket's path begins with / and has at most"
                f" {_LONGEST_PATH} bytes"
            )
        return Address("", 0, path)
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    if not colon or not _PORT.fullmatch(port) or int(port) > 65535:
        raise ConfigError(f"address {text[:200]!r} has no port from 0 to 65535; {VALID}")
    ip = _ip(host)
    if bracketed != (ip is not None and ip.version == 6):
        raise ConfigError(f"address {text[:200]!r}: an IPv6 address stands in brackets; {VALID}")
    if ip is None and not (_NAME.fullmatch(host) and len(host) <= _LONGEST_NAME):
        raise ConfigError(f"address {text[:200]!r} names no host; {VALID}")
    return Address(host, int(port))


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
