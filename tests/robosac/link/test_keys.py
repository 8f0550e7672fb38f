"""Keys on disk: private, never overwritten, whole or absent, and refused with the remedy."""

from __future__ import annotations

import datetime
import json
import shutil
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from typer.testing import CliRunner

from robosac.cli import app
from robosac.errors import ConfigError
from robosac.link.key_folder import KeyFolder, parse_certificate, read_key_folder
from robosac.link.keys import issue, make_authority, show
from robosac.link.peers import Peer, Role, parse_uri

run = CliRunner().invoke


@pytest.fixture
def laboratory(tmp_path: Path) -> Path:
    folder = tmp_path / "laboratory"
    make_authority(folder)
    return folder


def modes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): oct(path.stat().st_mode & 0o777)
        for path in [folder, *folder.rglob("*")]
    }


def test_everything_is_its_owners_alone(laboratory: Path) -> None:
    issue(laboratory, Peer(Role.ROBOT, "minitaur-1"))
    assert modes(laboratory) == {
        ".": "0o700",
        "ca.pem": "0o600",
        "ca.key": "0o600",
        "robot-minitaur-1": "0o700",
        "robot-minitaur-1/ca.pem": "0o600",
        "robot-minitaur-1/certificate.pem": "0o600",
        "robot-minitaur-1/private.key": "0o600",
    }


def test_what_stands_in_the_certificates(laboratory: Path) -> None:
    def of(folder: Path) -> x509.Certificate:
        return parse_certificate((folder / "certificate.pem").read_bytes(), folder)

    def alternative(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    learner = of(issue(laboratory, Peer(Role.LEARNER, "desk"), ["desk.lab", "192.168.7.1"], 30))
    robot = of(issue(laboratory, Peer(Role.ROBOT, "minitaur-1")))
    names = alternative(learner)
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["robosac://learner/desk"]
    assert names.get_values_for_type(x509.DNSName) == ["desk.lab", "localhost"]
    ips = list(map(str, names.get_values_for_type(x509.IPAddress)))
    assert ips == ["192.168.7.1", "127.0.0.1", "::1"]
    assert alternative(robot).get_values_for_type(x509.DNSName) == []
    for certificate, usage in (
        (learner, ExtendedKeyUsageOID.SERVER_AUTH),
        (robot, ExtendedKeyUsageOID.CLIENT_AUTH),
    ):
        extension = certificate.extensions.get_extension_for_class
        assert list(extension(x509.ExtendedKeyUsage).value) == [usage]
        assert not extension(x509.BasicConstraints).value.ca
        key = certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert key.curve.name == "secp256r1"
    ca = parse_certificate((laboratory / "ca.pem").read_bytes(), laboratory)
    basic = ca.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (basic.ca, basic.path_length) == (True, 0)


def test_nothing_is_overwritten(laboratory: Path) -> None:
    before = (laboratory / "ca.key").read_bytes()
    with pytest.raises(ConfigError, match="never overwritten"):
        make_authority(laboratory)
    issue(laboratory, Peer(Role.ROBOT, "one"))
    with pytest.raises(ConfigError, match="never overwritten"):
        issue(laboratory, Peer(Role.ROBOT, "one"))
    assert (laboratory / "ca.key").read_bytes() == before
    assert not [path for path in laboratory.parent.iterdir() if path.name.startswith(".")]
    assert not [path for path in laboratory.iterdir() if path.name.startswith(".")]


def test_a_folder_reads_back(laboratory: Path) -> None:
    keys = read_key_folder(issue(laboratory, Peer(Role.VIEWER, "screen"), days=90))
    assert str(keys.peer) == "viewer screen"
    assert keys.days_left == pytest.approx(90, abs=0.01)
    assert keys.warning == ""
    assert "PRIVATE" not in repr(keys)
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=80)
    assert "10.0 more days" in read_key_folder(keys.path, soon).warning


def test_a_key_that_others_may_read_is_refused_with_the_remedy(laboratory: Path) -> None:
    folder = issue(laboratory, Peer(Role.ROBOT, "one"))
    for mode in (0o640, 0o604, 0o620, 0o601):
        (folder / "private.key").chmod(mode)
        with pytest.raises(ConfigError, match=r"private\.key has mode .*chmod 600"):
            read_key_folder(folder)
    (laboratory / "ca.key").chmod(0o644)
    with pytest.raises(ConfigError, match=r"ca\.key has mode 0644"):
        issue(laboratory, Peer(Role.ROBOT, "two"))
    assert not (laboratory / "robot-two").exists()


def test_files_that_do_not_fit_each_other(laboratory: Path, foreign: dict[str, KeyFolder]) -> None:
    folder = issue(laboratory, Peer(Role.ROBOT, "one"))
    other = issue(laboratory, Peer(Role.ROBOT, "two"))
    shutil.copy(other / "private.key", folder / "private.key")
    with pytest.raises(ConfigError, match="is not the key of"):
        read_key_folder(folder)
    shutil.copy(foreign["robot"].path / "ca.pem", other / "ca.pem")
    with pytest.raises(ConfigError, match="was not issued by"):
        read_key_folder(other)


@pytest.mark.parametrize("name", ["ca.pem", "certificate.pem", "private.key"])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\n", None])
def test_damaged_and_missing_files_are_named(
    laboratory: Path, name: str, content: bytes | None
) -> None:
    folder = issue(laboratory, Peer(Role.ROBOT, "one"))
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(ConfigError, match=name.replace(".", r"\.")):
        read_key_folder(folder)


def test_dates(laboratory: Path) -> None:
    folder = issue(laboratory, Peer(Role.ROBOT, "one"), days=1)
    now = datetime.datetime.now(datetime.UTC)
    with pytest.raises(ConfigError, match=r"expired 1\.0 days ago"):
        read_key_folder(folder, now + datetime.timedelta(days=2))
    with pytest.raises(ConfigError, match="set the clock"):
        read_key_folder(folder, now - datetime.timedelta(days=20_000))
    for days in (0, 3650):
        with pytest.raises(ConfigError, match="valid is 1 to 3649"):
            issue(laboratory, Peer(Role.ROBOT, "two"), days=days)
    assert [told.problem for told in show(laboratory)] == ["", ""]
    assert "expired" in show(laboratory, now + datetime.timedelta(days=2))[1].problem


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "robosac://robot",
        "robosac://robot/",
        "robosac://king/one",
        "robosac://robot/One",
        "robosac://robot/a/b",
        "http://robot/one",
        "robosac://robot/" + "a" * 64,
    ],
)
def test_uris_that_name_nobody(uri: str) -> None:
    with pytest.raises(ConfigError):
        parse_uri(uri)


def test_the_command_line(tmp_path: Path) -> None:
    lab = str(tmp_path / "lab")
    assert run(app, ["keys", "init", lab]).exit_code == 0
    made = run(
        app,
        ["keys", "issue", lab, "--role", "learner", "--name", "desk", "--host", "192.168.7.1"],
    )
    assert made.exit_code == 0, made.output
    assert "learner-desk" in made.stdout
    shown = run(app, ["keys", "show", lab, "--json"])
    assert shown.exit_code == 0
    told = json.loads(shown.stdout)
    assert [row["subject"] for row in told] == ["authority", "learner desk"]
    assert told[1]["hosts"] == ["localhost", "192.168.7.1", "127.0.0.1", "::1"]
    assert run(app, ["keys", "show", lab]).stdout.count("\n") == 2
    (tmp_path / "lab/learner-desk/private.key").chmod(0o644)
    assert run(app, ["keys", "show", lab]).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["init", "."], "never overwritten"),
        (["issue", "nowhere", "--role", "robot", "--name", "x"], "ca.pem cannot be read"),
        (["issue", "nowhere", "--role", "king", "--name", "x"], "robot, learner, viewer"),
        (["issue", "nowhere", "--role", "robot", "--name", "X Y"], "minitaur-1"),
        (["issue", "nowhere", "--role", "robot", "--name", "x", "--host", "h"], "has no hosts"),
        (["show", "nowhere"], "robosac keys init"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "something").touch()
    result = run(app, ["keys", *arguments])
    assert result.exit_code == 2, result.output
    assert says in result.stderr
    assert result.stderr.startswith("robosac: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["init", "issue", "show"])
def test_help_has_an_example(command: str) -> None:
    result = run(app, ["keys", command, "--help"])
    assert result.exit_code == 0
    assert f"robosac keys {command}" in result.stdout
