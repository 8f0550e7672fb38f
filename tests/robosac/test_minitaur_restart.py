"""A controller whose supply was cycled is known by its own clock, even if it was never silent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drivers.moteus import MoteusBus
from robosac.errors import RobotError
from robosac.robots.motors import COUNTER_TURN_S
from sim.firmware.moteus.hooks import BOOT_S, HookedMoteusBank
from sim.minitaur import MinitaurTwin
from tests.robosac.test_minitaur import QUIET, build

CYCLED = 3


def test_options_that_went_with_the_supply_are_found_before_arming() -> None:
    twin = MinitaurTwin(QUIET, bank_type=HookedMoteusBank)
    bank = twin.bank
    assert isinstance(bank, HookedMoteusBank)
    rig = build(twin)
    index = bank.ids.index(CYCLED)
    good = bank.configuration(index)
    bank.configure(index, replace(good, kp_nm_per_rev=2.0))
    bank.store(index)
    bank.configure(index, good)
    rig.clock.wait_until(1.0)
    rig.robot.configure()
    bank.reboot(CYCLED)
    # Nobody spoke to it while it was away.
    rig.clock.wait_until(rig.clock.now() + BOOT_S + 0.1)
    with pytest.raises(RobotError, match=r"pid_position\.kp is 2"):
        rig.robot.configure()
    with pytest.raises(RobotError, match=r"pid_position\.kp is 2"):
        rig.robot.configure()


def test_controllers_that_kept_their_supply_are_not_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    twin = MinitaurTwin(QUIET, bank_type=HookedMoteusBank)
    rig = build(twin)
    asked: list[int] = []
    check = MoteusBus.check_configuration

    def counted(bus, id, wanted):  # type: ignore[no-untyped-def]
        asked.append(id)
        return check(bus, id, wanted)

    monkeypatch.setattr(MoteusBus, "check_configuration", counted)
    rig.robot.configure()
    first = len(asked)
    for pause in (0.0, 1.0, 3.0):
        rig.clock.wait_until(rig.clock.now() + pause)
        rig.robot.configure()
    assert (first, len(asked)) == (8, 8)
    bank = twin.bank
    assert isinstance(bank, HookedMoteusBank)
    bank.reboot(CYCLED)
    rig.clock.wait_until(rig.clock.now() + BOOT_S + 0.1)
    rig.robot.configure()
    assert len(asked) == 16


def test_a_counter_that_begins_anew_by_itself_is_no_restart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    twin = MinitaurTwin(QUIET)
    rig = build(twin)
    asked: list[int] = []
    check = MoteusBus.check_configuration
    monkeypatch.setattr(
        MoteusBus,
        "check_configuration",
        lambda bus, id, wanted: asked.append(id) or check(bus, id, wanted),
    )
    twin.bank._servos.time = COUNTER_TURN_S / 2 - 0.5
    rig.robot.configure()
    rig.clock.wait_until(rig.clock.now() + 1.0)
    rig.robot.configure()
    assert len(asked) == 8
