"""Addresses of the link: what is loopback is decided on the address itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosac.errors import ConfigError
from robosac.link.addresses import parse_address


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("127.0.0.1:47820", "ipv4:127.0.0.1:47820"),
        ("127.9.8.7:1", "ipv4:127.9.8.7:1"),
        ("[::1]:5", "ipv6:[::1]:5"),
        ("unix:/run/x/link", "unix:/run/x/link"),
    ],
)
def test_loopback(text: str, target: str) -> None:
    address = parse_address(text)
    assert address.is_loopback
    assert address.target == target
    assert str(address) == text


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("0.0.0.0:1", "ipv4:0.0.0.0:1"),
        ("[::]:1", "ipv6:[::]:1"),
        ("192.168.7.2:47820", "ipv4:192.168.7.2:47820"),
        ("[::ffff:127.0.0.1]:1", "ipv6:[::ffff:127.0.0.1]:1"),
        ("[::1%eth0]:1", "ipv6:[::1%eth0]:1"),
        # What a resolver makes of these is not known here.
        ("localhost:1", "dns:///localhost:1"),
        ("127.1:1", "dns:///127.1:1"),
        ("2130706433:1", "dns:///2130706433:1"),
        ("desk.lab.example:65535", "dns:///desk.lab.example:65535"),
    ],
)
def test_not_loopback(text: str, target: str) -> None:
    address = parse_address(text)
    assert not address.is_loopback
    assert address.target == target


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:1 ",
        "127.0.0.1:٣",
        "::1:5",
        "[127.0.0.1]:5",
        "[desk]:5",
        "a b:5",
        "xds:///desk:5",
        "-desk:5",
        "unix:relative",
        "unix:/" + "x" * 107,
        "unix:/x/",
        "unix-abstract:x",
        "a" * 64 + ":1",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_address(text)


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = parse_address(text)
    except ConfigError:
        return
    assert parse_address(str(address)).target == address.target
