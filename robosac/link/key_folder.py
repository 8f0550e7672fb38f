"""Reads keys and certificates: private, fitting each other, and not expired, or not at all."""

from __future__ import annotations

import datetime
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from robosac.errors import ConfigError
from robosac.link.peers import Peer, parse_uri

CA_CERTIFICATE, CA_KEY = "ca.pem", "ca.key"
CERTIFICATE, KEY = "certificate.pem", "private.key"
WARN_DAYS: Final = 30
"""A certificate that is valid for fewer days is told of."""
_LARGEST: Final = 64 * 1024
"""bytes of any file here."""
_ODD_EXTENSIONS: Final = (
    x509.ExtensionNotFound,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
_DAY: Final = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class KeyFolder:
    """What one computer needs on the link; see `read_key_folder`."""

    path: Path
    peer: Peer
    ca_pem: bytes
    certificate_pem: bytes
    key_pem: bytes = field(repr=False)
    days_left: float
    """Of the certificate, or of the authority where that ends earlier."""

    @property
    def warning(self) -> str:
        """What a person should know; empty: nothing."""
        if self.days_left >= WARN_DAYS:
            return ""
        return (
            f"{self.path / CERTIFICATE} is valid for {self.days_left:.1f} more days; issue another"
            f" with: robosac keys issue LABORATORY --role {self.peer.role.value} --name NEW-NAME"
        )


def read_key_folder(path: Path, now: datetime.datetime | None = None) -> KeyFolder:
    """The keys in a folder that `robosac keys issue` made.

    Args:
        path: the folder.
        now: with a time zone; the computer's own by default.

    Raises:
        ConfigError: a file is missing, damaged, readable by others, expired, or does not fit the
            rest; names the file and the remedy.
    """
    now = now or datetime.datetime.now(datetime.UTC)
    ca_pem, pem = read_file(path / CA_CERTIFICATE), read_file(path / CERTIFICATE)
    key_pem = read_private(path / KEY)
    ca = parse_certificate(ca_pem, path / CA_CERTIFICATE)
    certificate = parse_certificate(pem, path / CERTIFICATE)
    key = parse_key(key_pem, path / KEY)
    if key.public_key() != public_key(certificate, path / CERTIFICATE):
        raise ConfigError(f"{path / KEY} is not the key of {path / CERTIFICATE}; copy both anew")
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise ConfigError(
            f"{path / CERTIFICATE} was not issued by {path / CA_CERTIFICATE}; valid is a folder as"
            " robosac keys issue made it"
        ) from error
    days = min(
        days_left(ca, path / CA_CERTIFICATE, now), days_left(certificate, path / CERTIFICATE, now)
    )
    return KeyFolder(path, peer_of(certificate, path / CERTIFICATE), ca_pem, pem, key_pem, days)


def read_file(path: Path) -> bytes:
    """A file's contents. Raises ConfigError: it cannot be read or is too large."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}; valid is a folder that robosac keys made"
        ) from error
    if len(data) > _LARGEST:
        raise ConfigError(f"{path} has more than {_LARGEST} bytes; it is no key or certificate")
    return data


def read_private(path: Path) -> bytes:
    """The contents of a file that is its owner's alone. Raises ConfigError: it is not."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}; valid is a folder that robosac keys made"
        ) from error
    # The open file is asked, not its name: that may be another file's by now.
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise ConfigError(f"{path} is no file; valid is a key that robosac keys made")
        if found.st_mode & 0o077:
            raise ConfigError(
                f"{path} has mode {stat.S_IMODE(found.st_mode):04o}, so others may have read the"
                f" key; issue another, or if nobody has: chmod 600 {path}"
            )
        if found.st_uid not in (os.geteuid(), 0):
            raise ConfigError(f"{path} belongs to user {found.st_uid}; valid is your own")
        return file.read(_LARGEST)


def parse_certificate(pem: bytes, source: Path) -> x509.Certificate:
    """The certificate in `pem`. Raises ConfigError: there is none."""
    try:
        return x509.load_pem_x509_certificate(pem)
    except (ValueError, x509.InvalidVersion) as error:
        raise ConfigError(f"{source} holds no certificate: {_line(error)}") from error


def parse_key(pem: bytes, source: Path) -> ec.EllipticCurvePrivateKey:
    """The private key in `pem`. Raises ConfigError: there is none of ours."""
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{source} holds no private key: {_line(error)}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigError(f"{source} holds a key of another kind; valid is ECDSA with P-256")
    return key


def public_key(certificate: x509.Certificate, source: Path) -> CertificatePublicKeyTypes:
    """Its public key. Raises ConfigError: it has none that is known."""
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{source} holds a public key of another kind: {_line(error)}") from error


def days_left(certificate: x509.Certificate, source: Path, now: datetime.datetime) -> float:
    """For how long it stays valid, days. Raises ConfigError: it is not valid now."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begin:
        raise ConfigError(
            f"{source} is valid from {begin:%Y-%m-%d %H:%M} UTC on, and this computer's clock says"
            f" {now:%Y-%m-%d %H:%M}; set the clock"
        )
    if now > end:
        raise ConfigError(
            f"{source} expired {(now - end) / _DAY:.1f} days ago, by this computer's clock"
            f" ({now:%Y-%m-%d %H:%M} UTC); issue another with robosac keys issue"
        )
    return (end - now) / _DAY


def peer_of(certificate: x509.Certificate, source: Path) -> Peer:
    """Whose certificate it is. Raises ConfigError: it does not say so exactly once."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        uris = names.value.get_values_for_type(x509.UniformResourceIdentifier)
    except (*_ODD_EXTENSIONS, ValueError) as error:
        raise ConfigError(f"{source} names no role: {_line(error)}") from error
    if len(uris) != 1:
        raise ConfigError(f"{source} names {len(uris)} roles; valid is one")
    return parse_uri(uris[0])


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
