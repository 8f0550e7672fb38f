"""Makes a laboratory's certificate authority and the certificates of its computers.

ECDSA with P-256 and SHA-256; the role stands in a URI of the certificate. A laboratory's folder:

    ca.pem  ca.key (0600)  ROLE-NAME/{ca.pem, certificate.pem, private.key (0600)} for each computer
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import shutil
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from robosac.errors import ConfigError
from robosac.files import sync_folder
from robosac.link.addresses import parse_address
from robosac.link.key_folder import (
    CA_CERTIFICATE,
    CA_KEY,
    CERTIFICATE,
    KEY,
    days_left,
    parse_certificate,
    parse_key,
    peer_of,
    public_key,
    read_file,
    read_private,
)
from robosac.link.peers import Peer, Role

CA_DAYS: Final = 3650
DAYS: Final = 365
"""For which a certificate is valid unless told otherwise."""
LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")
"""Hosts that every learner's certificate is good for, beside its own."""
_CLOCK_SKEW: Final = datetime.timedelta(hours=1)
"""A certificate is valid from so long ago: not every robot's clock is right."""


@dataclass(frozen=True, slots=True)
class Told:
    """What `robosac keys show` tells of one certificate."""

    path: str
    subject: str
    """`authority`, or role and name."""
    expires: str
    """ISO date and time, UTC."""
    days_left: float
    """0 where it is not valid now."""
    hosts: tuple[str, ...]
    problem: str
    """Empty: none."""


def make_authority(folder: Path, now: datetime.datetime | None = None) -> None:
    """Make a laboratory's folder with an authority of its own.

    Raises:
        ConfigError: the folder exists and is not empty, or cannot be made.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "robosac laboratory")])
    builder = _builder(name, name, key.public_key(), now, CA_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(True, 0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    _make_folder(folder, {CA_CERTIFICATE: _pem(certificate), CA_KEY: _key_pem(key)})


def issue(
    folder: Path,
    peer: Peer,
    hosts: Sequence[str] = (),
    days: int = DAYS,
    now: datetime.datetime | None = None,
) -> Path:
    """Make a key and certificate for one computer; the new folder, to be copied there.

    Args:
        folder: the laboratory's.
        peer: role and name.
        hosts: names and IP addresses that robots reach a learner by; loopback is always added.
        days: for which it is valid, at most as long as the authority.

    Raises:
        ConfigError: the authority cannot be used, the certificate exists, or a value is wrong.
    """
    now = now or datetime.datetime.now(datetime.UTC)
    if hosts and peer.role is not Role.LEARNER:
        raise ConfigError(f"a {peer.role.value} has no hosts; only learners are connected to")
    ca_pem = read_file(folder / CA_CERTIFICATE)
    ca = parse_certificate(ca_pem, folder / CA_CERTIFICATE)
    ca_key = parse_key(read_private(folder / CA_KEY), folder / CA_KEY)
    if ca_key.public_key() != public_key(ca, folder / CA_CERTIFICATE):
        raise ConfigError(f"{folder / CA_KEY} is not the key of {folder / CA_CERTIFICATE}")
    longest = int(days_left(ca, folder / CA_CERTIFICATE, now))
    if not 1 <= days <= longest:
        raise ConfigError(f"--days {days}: valid is 1 to {longest}, for which the authority is")
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(peer.uri)]
    if peer.role is Role.LEARNER:
        names += [_general(host) for host in dict.fromkeys((*hosts, *LOOPBACK_NAMES))]
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, peer.name)])
    builder = _builder(subject, ca.subject, key.public_key(), now, days)
    # A robot's key must not serve: then it cannot pass for the learner.
    server = peer.role is Role.LEARNER
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    certificate = builder.add_extension(authority, critical=False).sign(ca_key, hashes.SHA256())
    place = folder / f"{peer.role.value}-{peer.name}"
    contents = {CA_CERTIFICATE: ca_pem, CERTIFICATE: _pem(certificate), KEY: _key_pem(key)}
    _make_folder(place, contents)
    return place


def show(folder: Path, now: datetime.datetime | None = None) -> list[Told]:
    """What is in a laboratory's folder, or in one computer's.

    Raises:
        ConfigError: there is no certificate in it.
    """
    now = now or datetime.datetime.now(datetime.UTC)
    own = [folder / CA_CERTIFICATE, folder / CERTIFICATE]
    found = [path for path in own if path.exists()]
    found += sorted(folder.glob(f"*/{CERTIFICATE}"))
    if not found:
        raise ConfigError(
            f"{folder} holds no certificate; make an authority with robosac keys init"
        )
    return [_tell(path, now) for path in found]


def _tell(path: Path, now: datetime.datetime) -> Told:
    certificate = parse_certificate(read_file(path), path)
    problem, left, hosts = "", 0.0, tuple[str, ...]()
    subject = "authority"
    try:
        if path.name == CERTIFICATE:
            subject = str(peer_of(certificate, path))
            hosts = _hosts(certificate)
        left = days_left(certificate, path, now)
        private = path.with_name(CA_KEY if path.name == CA_CERTIFICATE else KEY)
        if private.exists():
            read_private(private)
    except ConfigError as error:
        problem = str(error)
    expires = certificate.not_valid_after_utc.isoformat(timespec="seconds")
    return Told(str(path), subject, expires, max(0.0, left), hosts, problem)


def _hosts(certificate: x509.Certificate) -> tuple[str, ...]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    dns = names.get_values_for_type(x509.DNSName)
    return (*dns, *map(str, names.get_values_for_type(x509.IPAddress)))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: datetime.datetime | None,
    days: int,
) -> x509.CertificateBuilder:
    now = now or datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general(host: str) -> x509.GeneralName:
    """A host as a certificate has it. Raises ConfigError: it is none."""
    bracketed = f"[{host}]" if ":" in host else host
    ip = parse_address(f"{bracketed}:1").ip
    return x509.DNSName(host) if ip is None else x509.IPAddress(ipaddress.ip_address(str(ip)))


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _make_folder(folder: Path, contents: dict[str, bytes]) -> None:
    """A new folder of mode 0700 with files of mode 0600, whole or not at all; never overwrites.

    Raises:
        ConfigError: something is there, or it cannot be made.
    """
    try:
        if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
            raise ConfigError(f"{folder} exists; keys are never overwritten: name another")
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            for name, data in contents.items():
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                with os.fdopen(os.open(aside / name, flags, 0o600), "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
            aside.chmod(stat.S_IRWXU)
            sync_folder(aside)
            # Fails where a folder with anything in it has come there meanwhile.
            aside.rename(folder)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        sync_folder(folder.parent)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be made: {error.strerror or error}") from error
