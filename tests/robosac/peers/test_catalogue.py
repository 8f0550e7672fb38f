"""Who can take part is found without importing anybody, and who cannot is named."""

from __future__ import annotations

import pytest

from robosac.peers.catalogue import INSTALL, LEARNERS, REPLAYS, installed, missing, versions


def without(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    monkeypatch.setattr(
        "robosac.peers.catalogue.find_spec", lambda name: None if name in modules else object()
    )


def tiles(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    monkeypatch.setattr("robosac.peers.catalogue.has_tiles", lambda: there)


def test_everybody_takes_part_where_everybody_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch)
    tiles(monkeypatch, there=True)
    assert installed(LEARNERS) == list(LEARNERS)
    assert missing(LEARNERS) == []


def test_who_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "sbx", "torchrl")
    tiles(monkeypatch, there=False)
    assert [peer.name for peer in missing(LEARNERS)] == ["SBX", "SBX, 20 a call", "TorchRL"]
    assert [peer.name for peer in installed(LEARNERS)] == [
        "robosac",
        "robosac, native core",
        "stable-baselines3",
        "plain PyTorch",
    ]


def test_robosac_and_plain_pytorch_are_always_there(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, *{peer.module for peer in LEARNERS})
    tiles(monkeypatch, there=False)
    ours = ["robosac", "robosac, native core", "plain PyTorch"]
    assert [peer.name for peer in installed(LEARNERS)] == ours
    assert [peer.name for peer in installed(REPLAYS)] == ["robosac"]


def test_products_in_bfloat16_take_part_where_the_processor_has_a_unit_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without(monkeypatch, *{peer.module for peer in LEARNERS})
    tiles(monkeypatch, there=True)
    assert [peer.name for peer in installed(LEARNERS)] == [
        "robosac",
        "robosac, bfloat16",
        "robosac, native core",
        "robosac, native core, bfloat16",
        "plain PyTorch",
    ]
    tiles(monkeypatch, there=False)
    # Nobody can install it, so it is not told as missing.
    assert not any("bfloat16" in peer.name for peer in missing(LEARNERS))


def test_the_command_installs_each_of_them_once_at_the_version_that_was_measured() -> None:
    pins = [peer.distribution for peer in (*LEARNERS, *REPLAYS) if peer.module]
    assert all("==" in pin for pin in pins)
    assert all(INSTALL.count(pin) == 1 for pin in pins)


def test_versions_are_those_that_are_installed() -> None:
    found = versions()
    assert found["torch"]
    assert found["numpy"]
