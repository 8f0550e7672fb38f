"""The vendor's own client, dynamixel-sdk, drives the served hand through every instruction it has.

Its known defects stay out: it works byte stuffing out for what it sends and then sends the packet
without it, it unstuffs some packets wrongly, its sync read tells no status error, 4.5 Mbit/s are
missing in its list; and an answer for which it does not wait it takes for the next one. What it
sends is compared with our bytes in tests/drivers/test_dynamixel_instructions.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from dynamixel_sdk import (
    COMM_RX_TIMEOUT,
    COMM_SUCCESS,
    GroupBulkRead,
    GroupBulkWrite,
    GroupSyncRead,
    GroupSyncWrite,
)

from sim.served import ServedTwin, served
from tests.conformance.dynamixel_client import Client, client, counts

pytestmark = pytest.mark.realtime

BAUD = 1_000_000
IDS = (10, 11, 12, 20, 21, 22, 30, 31, 32, 50)
MODEL, FIRMWARE = 1050, 48
TURN = 4096
NEAR = 6
"""A finger that is held gives way by so many counts between two looks."""


@pytest.fixture(scope="module")
def hand() -> Iterator[ServedTwin]:
    with served("claw") as twin:
        yield twin


@pytest.fixture
def sdk(hand: ServedTwin) -> Iterator[Client]:
    with client(hand.path("servos"), BAUD) as sdk:
        yield sdk


def truth(hand: ServedTwin, id: int) -> int:
    """Where a shaft really is, counts within a turn; by the twin's own journal."""
    return round(hand.ask("state")["shaft_rad"][str(id)] / math.tau * TURN) % TURN


def test_ping(sdk: Client) -> None:
    assert sdk.ask("ping", 21) == MODEL
    assert sdk.handler.ping(sdk.port, 13)[1] == COMM_RX_TIMEOUT


def test_broadcast_ping(sdk: Client) -> None:
    found, result = sdk.handler.broadcastPing(sdk.port)
    assert result == COMM_SUCCESS
    assert found == {id: [MODEL, FIRMWARE] for id in IDS}


def test_reads_of_every_width(sdk: Client) -> None:
    assert sdk.ask("read1ByteTxRx", 10, 7) == 10
    assert sdk.ask("read2ByteTxRx", 10, 0) == MODEL
    assert sdk.ask("read4ByteTxRx", 10, 132) == pytest.approx(1024, abs=NEAR)
    assert sdk.ask("readTxRx", 10, 6, 3) == [FIRMWARE, 10, 3]
    for width, call in ((1, "read1ByteRx"), (2, "read2ByteRx"), (4, "read4ByteRx")):
        sdk.tell("readTx", 22, 44, width)
        assert sdk.ask(call, 22) == 380 % 256**width


def test_writes_of_every_width(sdk: Client) -> None:
    sdk.ask("write1ByteTxRx", 11, 65, 1)
    sdk.ask("write2ByteTxRx", 11, 84, 900)
    sdk.ask("write4ByteTxRx", 11, 112, 70_000 % 32768)
    sdk.ask("writeTxRx", 11, 108, 4, counts(5))
    assert sdk.ask("read1ByteTxRx", 11, 65) == 1
    assert sdk.ask("read2ByteTxRx", 11, 84) == 900
    assert sdk.ask("readTxRx", 11, 108, 8) == [*counts(5), *counts(70_000 % 32768)]
    for call, *arguments in (
        ("write1ByteTxOnly", 65, 0),
        ("write2ByteTxOnly", 84, 800),
        ("write4ByteTxOnly", 112, 0),
        ("writeTxOnly", 108, 4, counts(0)),
    ):
        sdk.tell(call, 11, *arguments)
        sdk.let_pass()
    assert sdk.ask("readTxRx", 11, 108, 8) == [0] * 8
    assert sdk.ask("read1ByteTxRx", 11, 65) == 0


@pytest.mark.parametrize(
    ("address", "width", "value", "error"),
    [(116, 4, 5000, 6), (11, 1, 9, 4), (116, 2, 5, 5), (132, 4, 5, 7), (14, 1, 5, 7)],
)
def test_refusals(sdk: Client, address: int, width: int, value: int, error: int) -> None:
    data = list(value.to_bytes(width, "little"))
    assert sdk.refused("writeTxRx", 12, address, width, data) == error


def test_eeprom_is_locked_while_torque_is_on(sdk: Client, hand: ServedTwin) -> None:
    sdk.ask("write1ByteTxRx", 20, 64, 1)
    assert hand.ask("state")["torque"]["20"], "by the twin's own journal, not by any wire"
    assert sdk.refused("write1ByteTxRx", 20, 9, 0) == 7
    sdk.ask("write1ByteTxRx", 20, 64, 0)
    assert not hand.ask("state")["torque"]["20"]
    sdk.ask("write1ByteTxRx", 20, 9, 0)
    assert sdk.ask("read1ByteTxRx", 20, 9) == 0


def test_reg_write_and_action(sdk: Client) -> None:
    fingers = IDS[:3]
    for id in fingers:
        sdk.ask("regWriteTxRx", id, 116, 4, counts(1500))
        assert sdk.ask("read1ByteTxRx", id, 69) == 1
        assert sdk.ask("read4ByteTxRx", id, 116) != 1500
    sdk.tell("action", 0xFE)
    assert [sdk.ask("read4ByteTxRx", id, 116) for id in fingers] == [1500] * 3
    sdk.tell("regWriteTxOnly", 12, 65, 1, [1])
    sdk.let_pass()
    sdk.tell("action", 12)
    sdk.let_pass()
    assert sdk.ask("read1ByteTxRx", 12, 65) == 1


@pytest.mark.parametrize("fast", [False, True])
def test_group_sync_read(hand: ServedTwin, sdk: Client, fast: bool) -> None:
    for id in IDS:
        sdk.ask("write1ByteTxRx", id, 64, 1)
        sdk.ask("write4ByteTxRx", id, 116, sdk.ask("read4ByteTxRx", id, 132))
    group = sdk.group(GroupSyncRead, 132, 4)
    assert all(group.addParam(id) for id in IDS)
    before = [truth(hand, id) for id in IDS]
    assert (group.fastSyncRead() if fast else group.txRxPacket()) == COMM_SUCCESS
    after = [truth(hand, id) for id in IDS]
    for id, *ends in zip(IDS, before, after, strict=True):
        assert group.isAvailable(id, 132, 4)
        # It gives way for as long as a busy computer takes between the looks.
        assert min(ends) - NEAR <= group.getData(id, 132, 4) <= max(ends) + NEAR
        sdk.ask("write1ByteTxRx", id, 64, 0)


def test_group_sync_write(sdk: Client) -> None:
    group = sdk.group(GroupSyncWrite, 116, 4)
    for id in IDS:
        assert group.addParam(id, counts(2000 + id))
    assert group.txPacket() == COMM_SUCCESS
    assert [sdk.ask("read4ByteTxRx", id, 116) for id in IDS] == [2000 + id for id in IDS]


@pytest.mark.parametrize("fast", [False, True])
def test_group_bulk_read(hand: ServedTwin, sdk: Client, fast: bool) -> None:
    group = sdk.group(GroupBulkRead)
    spans = {10: (7, 1), 21: (0, 2), 50: (132, 4)}
    assert all(group.addParam(id, *span) for id, span in spans.items())
    assert (group.fastBulkRead() if fast else group.txRxPacket()) == COMM_SUCCESS
    assert group.getData(10, 7, 1) == 10
    assert group.getData(21, 0, 2) == MODEL
    assert group.getData(50, 132, 4) == pytest.approx(truth(hand, 50), abs=NEAR)


def test_group_bulk_write(sdk: Client) -> None:
    group = sdk.group(GroupBulkWrite)
    assert group.addParam(30, 116, 4, counts(1900))
    assert group.addParam(31, 65, 1, [1])
    assert group.txPacket() == COMM_SUCCESS
    assert sdk.ask("read4ByteTxRx", 30, 116) == 1900
    assert sdk.ask("read1ByteTxRx", 31, 65) == 1


def test_a_servo_turns_beyond_a_turn_and_clears_that(sdk: Client) -> None:
    goal, turn = 4500, 4096
    sdk.ask("write1ByteTxRx", 50, 11, 4)
    sdk.ask("write4ByteTxRx", 50, 116, goal)
    sdk.ask("write1ByteTxRx", 50, 64, 1)
    for _ in range(100_000):
        if abs(sdk.ask("read4ByteTxRx", 50, 132) - goal) <= 20 and not moving(sdk, 50):
            break
    else:
        pytest.fail("it does not get there")
    sdk.ask("write1ByteTxRx", 50, 64, 0)
    sdk.ask("clearMultiTurn", 50)
    assert sdk.ask("read4ByteTxRx", 50, 132) == pytest.approx(goal - turn, abs=30)


def moving(sdk: Client, id: int) -> bool:
    return sdk.ask("read1ByteTxRx", id, 122) != 0


def test_reboot(sdk: Client) -> None:
    sdk.ask("write1ByteTxRx", 22, 64, 1)
    sdk.ask("reboot", 22)
    assert sdk.ping_until_back(22) > 0, "it is silent for a while"
    assert sdk.ask("read1ByteTxRx", 22, 64) == 0


@pytest.mark.parametrize(("option", "kept_baud"), [(0x02, True), (0x01, False)])
def test_factory_reset_comes_last(
    hand: ServedTwin, sdk: Client, option: int, kept_baud: bool
) -> None:
    """Of one servo only: all at once would all have the same id."""
    sdk.ask("write1ByteTxRx", 12, 9, 7)
    sdk.ask("factoryReset", 12, option)
    if kept_baud:
        sdk.ping_until_back(12)
        assert sdk.ask("read1ByteTxRx", 12, 9) == 250
        return
    sdk.port.closePort()
    with client(hand.path("servos"), 57_600) as slow:
        slow.ping_until_back(12)
        assert slow.ask("readTxRx", 12, 7, 3) == [12, 1, 250]
        slow.ask("write1ByteTxRx", 12, 8, 3)
