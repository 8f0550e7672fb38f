"""What must hold before a link is opened at either end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from robosac.errors import ConfigError
from robosac.link.addresses import Address
from robosac.link.key_folder import KeyFolder


def require_safe(address: Address, keys: KeyFolder | None) -> None:
    """Refuse a link that others could read, or speak on.

    Raises:
        ConfigError: the address is not loopback and there are no keys, or it is a Unix socket in a
            folder that others may enter.
    """
    if address.path:
        _require_private_folder(Path(address.path).parent)
    elif keys is None and not address.is_loopback:
        raise ConfigError(
            f"link address {address} is not this computer's loopback, and there are no keys; valid"
            " without keys are 127.0.0.1:PORT, [::1]:PORT and unix:/PATH, else make keys with"
            " robosac keys init and robosac keys issue"
        )
    if address.path and keys is not None:
        raise ConfigError(
            f"link address {address}: a Unix socket takes no keys; its folder guards it"
        )


def _require_private_folder(folder: Path) -> None:
    try:
        found = folder.stat()
    except OSError as error:
        raise ConfigError(f"the socket's folder {folder}: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077 or found.st_uid != os.geteuid():
        raise ConfigError(
            f"the socket's folder {folder} has mode {stat.S_IMODE(found.st_mode):04o} and owner"
            f" {found.st_uid}; it must be yours alone: chmod 700 {folder}"
        )
