"""Who is let in: by certificate, role and address, before any message is read."""

from __future__ import annotations

import datetime
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from robosac.errors import ConfigError
from robosac.link.addresses import parse_address
from robosac.link.key_folder import KeyFolder, read_key_folder
from robosac.link.keys import issue, make_authority
from robosac.link.limits import SESSION, WATCH, LinkLimits, server_options
from robosac.link.peers import Peer, Role
from robosac.link.server import LinkServer
from tests.robosac.link.link_rig import ANY_PORT, PATIENCE_S, Echo, ended, make_client


class Reached(Echo):
    """Fails the test whatever a session of it would say: nobody may get here."""

    def session(self, session: object) -> None:
        self.peers.append(str(session))

    watch = session


@pytest.fixture
def guarded(keys: dict[str, KeyFolder]) -> Iterator[tuple[LinkServer, Reached]]:
    service = Reached()
    server = LinkServer(ANY_PORT, keys["learner"], service)
    server.start()
    yield server, service
    server.close()
    assert service.peers == []


def call(server: LinkServer, credentials: grpc.ChannelCredentials | None, method: str) -> str:
    """What becomes of a foreign client's call that sends a message at once."""
    target = server.address.target
    channel = (
        grpc.insecure_channel(target)
        if credentials is None
        else grpc.secure_channel(target, credentials)
    )
    with channel:
        try:
            list(channel.stream_stream(method)(iter([b"x" * 100]), timeout=PATIENCE_S))
        except grpc.RpcError as error:
            return f"{error.code().name}: {error.details()}"  # type: ignore[attr-defined]
    return "served"


@pytest.mark.parametrize(
    ("role", "method"), [("robot", WATCH), ("viewer", SESSION), ("robot", "/robosac.Link/Else")]
)
def test_a_role_calls_only_its_own_method(
    guarded: tuple[LinkServer, Reached], keys: dict[str, KeyFolder], role: str, method: str
) -> None:
    own = keys[role]
    credentials = grpc.ssl_channel_credentials(own.ca_pem, own.key_pem, own.certificate_pem)
    told = call(guarded[0], credentials, method)
    known = method in (SESSION, WATCH)
    assert told.startswith("PERMISSION_DENIED: " if known else "UNIMPLEMENTED")
    assert ("may not call" in told) is known


def test_a_learners_certificate_is_no_clients(
    guarded: tuple[LinkServer, Reached], keys: dict[str, KeyFolder]
) -> None:
    own = keys["learner"]
    credentials = grpc.ssl_channel_credentials(own.ca_pem, own.key_pem, own.certificate_pem)
    assert call(guarded[0], credentials, SESSION).startswith("UNAVAILABLE")


def test_without_a_certificate(
    guarded: tuple[LinkServer, Reached], keys: dict[str, KeyFolder]
) -> None:
    credentials = grpc.ssl_channel_credentials(keys["robot"].ca_pem)
    assert call(guarded[0], credentials, SESSION).startswith("UNAVAILABLE")


def test_of_a_foreign_authority(
    guarded: tuple[LinkServer, Reached], keys: dict[str, KeyFolder], foreign: dict[str, KeyFolder]
) -> None:
    own, other = keys["robot"], foreign["robot"]
    credentials = grpc.ssl_channel_credentials(own.ca_pem, other.key_pem, other.certificate_pem)
    assert call(guarded[0], credentials, SESSION).startswith("UNAVAILABLE")


def client_of(folder: Path) -> grpc.ChannelCredentials:
    """What gRPC makes of a folder that `read_key_folder` would perhaps refuse."""
    ca, key, certificate = (
        (folder / name).read_bytes() for name in ("ca.pem", "private.key", "certificate.pem")
    )
    return grpc.ssl_channel_credentials(ca, key, certificate)


@pytest.fixture
def aged(tmp_path: Path) -> Path:
    """A laboratory that exists for ten days, with certificates that ended two days ago."""
    folder = tmp_path / "laboratory"
    today = datetime.datetime.now(datetime.UTC)
    make_authority(folder, today - datetime.timedelta(days=10))
    for role in (Role.ROBOT, Role.LEARNER):
        issue(folder, Peer(role, "old"), days=1, now=today - datetime.timedelta(days=3))
    issue(folder, Peer(Role.LEARNER, "desk"))
    issue(folder, Peer(Role.ROBOT, "new"))
    return folder


def test_with_an_expired_certificate(aged: Path) -> None:
    with pytest.raises(ConfigError, match=r"expired 2\.0 days ago"):
        read_key_folder(aged / "robot-old")
    service = Reached()
    server = LinkServer(ANY_PORT, read_key_folder(aged / "learner-desk"), service)
    server.start()
    assert call(server, client_of(aged / "robot-old"), SESSION).startswith("UNAVAILABLE")
    assert service.peers == []
    # It is the date alone: another of the same authority is served.
    call(server, client_of(aged / "robot-new"), SESSION)
    assert len(service.peers) == 1
    server.close()


def served_with(folder: Path, host: str = "127.0.0.1") -> tuple[grpc.Server, int]:
    """A server of anybody's making, which takes whatever it is asked for."""
    ca, key, certificate = (
        (folder / name).read_bytes() for name in ("ca.pem", "private.key", "certificate.pem")
    )
    server = grpc.server(ThreadPoolExecutor(1), options=server_options(LinkLimits()))
    credentials = grpc.ssl_server_credentials([(key, certificate)], ca, True)
    port = server.add_secure_port(f"{host}:0", credentials)
    server.start()
    return server, port


def refused_by_client(folder: Path, keys: KeyFolder, host: str = "127.0.0.1") -> str:
    server, port = served_with(folder, host)
    client = make_client(parse_address(f"{host}:{port}"), keys)
    client.connect()
    client.send(b"secret")
    told = ended(client)
    server.stop(0).wait()
    client.close()
    return told


def test_the_client_speaks_only_to_a_learner_of_its_authority_and_that_name(
    keys: dict[str, KeyFolder], foreign: dict[str, KeyFolder], aged: Path
) -> None:
    robot = keys["robot"]
    for server in (foreign["learner"].path, keys["robot"].path, keys["viewer"].path):
        assert "lost" in refused_by_client(server, robot)
    assert "lost" in refused_by_client(aged / "learner-old", read_key_folder(aged / "robot-new"))
    # A loopback address that the certificate does not name.
    assert "lost" in refused_by_client(keys["learner"].path, robot, "127.0.0.2")
    # The very same way, all of it right: there the method is asked for, which that server lacks.
    assert "Method not found" in refused_by_client(keys["learner"].path, robot)


@pytest.mark.parametrize("text", ["0.0.0.0:0", "[::]:0", "192.0.2.7:1", "localhost:0", "desk:1"])
def test_plaintext_off_loopback_does_not_start_on_either_side(text: str) -> None:
    address = parse_address(text)
    with pytest.raises(ConfigError, match="not this computer's loopback, and there are no keys"):
        LinkServer(address, None, Echo())
    with pytest.raises(ConfigError, match="robosac keys init"):
        make_client(address)


def test_keys_of_the_wrong_role_do_not_start(keys: dict[str, KeyFolder]) -> None:
    with pytest.raises(ConfigError, match="served with a learner's"):
        LinkServer(ANY_PORT, keys["robot"], Echo())
    with pytest.raises(ConfigError, match="connect with a robot's or viewer's"):
        make_client(parse_address("127.0.0.1:1"), keys["learner"])


def test_plaintext_against_tls(guarded: tuple[LinkServer, Reached]) -> None:
    assert call(guarded[0], None, SESSION).startswith("UNAVAILABLE")
    client = make_client(guarded[0].address)
    client.connect()
    assert "lost" in ended(client)


def test_tls_1_3_is_spoken(guarded: tuple[LinkServer, Reached], keys: dict[str, KeyFolder]) -> None:
    own = keys["robot"].path
    context = ssl.create_default_context(cafile=own / "ca.pem")
    context.load_cert_chain(own / "certificate.pem", own / "private.key")
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(("127.0.0.1", guarded[0].address.port), PATIENCE_S) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        assert secure.version() == "TLSv1.3"
