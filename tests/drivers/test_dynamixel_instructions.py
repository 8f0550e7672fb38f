"""Instructions: the e-manual's packets, refused arguments, and what dynamixel-sdk sends."""

from collections.abc import Callable
from typing import Any

import pytest
from dynamixel_sdk import protocol2_packet_handler
from dynamixel_sdk.group_bulk_write import GroupBulkWrite
from hypothesis import given
from hypothesis import strategies as st

from drivers.dynamixel import instructions as send
from drivers.dynamixel.constants import BROADCAST_ID, FactoryReset
from drivers.dynamixel.instructions import BulkRead, BulkWrite, PingReply, parse_ping
from drivers.dynamixel.packet import Status, decode_status
from drivers.errors import ProtocolError
from tests.drivers import dynamixel_vectors as vectors

MANUAL = [
    (send.ping(1), vectors.PING_1),
    (send.ping(BROADCAST_ID), vectors.PING_ALL),
    (send.read(1, 132, 4), vectors.READ_1),
    (send.write(1, 116, b"\x00\x02\x00\x00"), vectors.WRITE_1),
    (send.reg_write(1, 104, b"\xc8\x00\x00\x00"), vectors.REG_WRITE_1),
    (send.action(1), vectors.ACTION_1),
    (send.factory_reset(1, FactoryReset.KEEP_ID), vectors.FACTORY_RESET_1),
    (send.reboot(1), vectors.REBOOT_1),
    (send.clear_multi_turn(1), vectors.CLEAR_1),
    (send.backup_control_table(1), vectors.BACKUP_1),
    (send.restore_control_table(1), vectors.RESTORE_1),
    (send.sync_read(132, 4, (1, 2)), vectors.SYNC_READ),
    (
        send.sync_write(116, 4, {1: b"\x96\x00\x00\x00", 2: b"\xaa\x00\x00\x00"}),
        vectors.SYNC_WRITE,
    ),
    (send.bulk_read([BulkRead(1, 144, 2), BulkRead(2, 146, 1)]), vectors.BULK_READ),
    (
        send.bulk_write([BulkWrite(1, 32, b"\xa0\x00"), BulkWrite(2, 31, b"\x50")]),
        vectors.BULK_WRITE,
    ),
    (send.fast_sync_read(132, 4, (3, 7, 4)), vectors.FAST_SYNC_READ),
]
LONGEST = 1024


@pytest.mark.parametrize(("ours", "manual"), MANUAL)
def test_the_manuals_instruction_packets(ours: bytes, manual: bytes) -> None:
    assert ours.hex() == manual.hex()


def test_ping_replies() -> None:
    assert parse_ping(decode_status(vectors.PING_REPLY_1)) == PingReply(1, 1030, 38)
    with pytest.raises(ProtocolError, match="3 bytes"):
        parse_ping(decode_status(vectors.OK_1))


@pytest.mark.parametrize(
    "call",
    [
        lambda: send.read(BROADCAST_ID, 132, 4),
        lambda: send.read(253, 132, 4),
        lambda: send.read(1, 132, 0),
        lambda: send.read(1, 132, 2000),
        lambda: send.read(1, 0x10000, 1),
        lambda: send.write(1, 116, b""),
        lambda: send.write(255, 116, b"\x00"),
        lambda: send.sync_read(132, 4, ()),
        lambda: send.sync_read(132, 4, (1, 1)),
        lambda: send.sync_read(132, 4, (1, BROADCAST_ID)),
        lambda: send.sync_write(116, 4, {1: b"\x00"}),
        lambda: send.sync_write(116, 4, {}),
        lambda: send.bulk_read([BulkRead(1, 144, 2), BulkRead(1, 146, 1)]),
        lambda: send.bulk_write([BulkWrite(1, 32, b"")]),
        lambda: send.fast_sync_read(0, 100, range(12)),
        lambda: send.fast_bulk_read([BulkRead(1, 0, 600), BulkRead(2, 0, 600)]),
        lambda: send.factory_reset(BROADCAST_ID, FactoryReset.ALL),
        lambda: send.read(-1, 132, 4),
        lambda: send.read(1, -1, 1),
        lambda: send.read(1, 0, LONGEST - 10),
        lambda: send.write(1, 0x10000, b"1"),
        lambda: send.reg_write(1, 116, b""),
        lambda: send.sync_write(116, 1, {253: b"1"}),
        lambda: send.sync_write(116, 1, {1: b"1", 2: b"22"}),
        lambda: send.bulk_read([BulkRead(253, 144, 2)]),
        lambda: send.bulk_read([]),
        lambda: send.bulk_write([BulkWrite(253, 32, b"1")]),
        lambda: send.bulk_write([BulkWrite(1, 32, b"1"), BulkWrite(1, 33, b"1")]),
        lambda: send.fast_sync_read(0, 505, (1, 2)),
        lambda: send.fast_bulk_read([BulkRead(1, 0, LONGEST - 11)]),
    ],
)
def test_what_must_not_be_sent_is_refused(call: Callable[[], bytes]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        call()


def test_the_ends_of_what_may_be_asked_for() -> None:
    assert send.read(0, 0, 1)[4:12] == bytes.fromhex("00 0700 02 0000 0100")
    assert send.read(252, 0xFFFF, LONGEST - 11)[4:12] == bytes.fromhex("FC 0700 02 FFFF F503")
    assert send.write(BROADCAST_ID, 64, b"\x01")[4:11] == bytes.fromhex("FE 0600 03 4000 01")
    assert send.fast_sync_read(0, 504, (1, 2))[7] == 0x8A
    assert send.fast_bulk_read([BulkRead(1, 0, 504), BulkRead(2, 0, 504)])[7] == 0x9A
    assert send.fast_bulk_read([BulkRead(1, 0, LONGEST - 12)])[7] == 0x9A


def test_an_action_is_for_all_and_a_factory_reset_of_one_may_take_everything() -> None:
    assert send.action() == send.action(BROADCAST_ID)
    assert send.factory_reset(1, FactoryReset.ALL)[7:9] == bytes.fromhex("06FF")
    assert send.factory_reset(BROADCAST_ID, FactoryReset.KEEP_ID)[4:9] == bytes.fromhex(
        "FE 0400 06 01"
    )


@pytest.mark.parametrize("count", [2, 4])
def test_a_ping_is_answered_with_three_bytes(count: int) -> None:
    with pytest.raises(ProtocolError, match="3 bytes"):
        parse_ping(Status(1, 0, False, bytes(count)))
    assert parse_ping(Status(2, 0, False, b"\x01\x02\x03")) == PingReply(2, 0x0201, 3)


class Recorder:
    """A port of dynamixel-sdk that keeps what is written and never answers."""

    is_using = False
    baudrate = 1_000_000

    def __init__(self) -> None:
        self.sent = b""

    def clearPort(self) -> None: ...
    def setPacketTimeout(self, length: int) -> None: ...
    def setPacketTimeoutMillis(self, length: float) -> None: ...

    def getBaudRate(self) -> int:
        return self.baudrate

    def isPacketTimeout(self) -> bool:
        return True

    def readPort(self, length: int) -> bytes:
        return b""

    def writePort(self, packet: list[int]) -> int:
        self.sent += bytes(packet)
        return len(packet)


def sdk_sends(call: Callable[[Any, Recorder], object]) -> bytes:
    port = Recorder()
    call(protocol2_packet_handler.Protocol2PacketHandler(), port)
    return port.sent


ids = st.integers(0, 252)
# Known defect of dynamixel-sdk 4.1.0: addStuffing's result is thrown away, so FF FF FD goes out
# unstuffed and a servo drops it. Such payloads are left out here.
payloads = st.binary(min_size=1, max_size=8).filter(lambda data: b"\xff\xff\xfd" not in data)
addresses = st.integers(0, 700)


@given(ids, addresses, st.integers(1, 100), payloads)
def test_single_instructions_are_those_of_the_sdk(
    id: int, address: int, size: int, data: bytes
) -> None:
    values, count = list(data), len(data)
    pairs: list[tuple[bytes, Callable[[Any, Recorder], object]]] = [
        (send.ping(id), lambda sdk, port: sdk.ping(port, id)),
        (send.read(id, address, size), lambda sdk, port: sdk.readTx(port, id, address, size)),
        (
            send.write(id, address, data),
            lambda sdk, port: sdk.writeTxOnly(port, id, address, count, values),
        ),
        (
            send.reg_write(id, address, data),
            lambda sdk, port: sdk.regWriteTxOnly(port, id, address, count, values),
        ),
        (send.action(id), lambda sdk, port: sdk.action(port, id)),
        (send.reboot(id), lambda sdk, port: sdk.reboot(port, id)),
        (send.clear_multi_turn(id), lambda sdk, port: sdk.clearMultiTurn(port, id)),
        (
            send.factory_reset(id, FactoryReset.KEEP_ID),
            lambda sdk, port: sdk.factoryReset(port, id, FactoryReset.KEEP_ID),
        ),
    ]
    for ours, call in pairs:
        assert ours.hex() == sdk_sends(call).hex()
    assert send.ping(BROADCAST_ID) == sdk_sends(lambda sdk, port: sdk.broadcastPing(port))


@given(st.lists(ids, min_size=1, max_size=9, unique=True), addresses, st.binary(max_size=36))
def test_group_instructions_are_those_of_the_sdk(ids: list[int], address: int, seed: bytes) -> None:
    data = {
        id: (seed + b"\x01\x02\x03\x04")[i : i + 4].ljust(4, b"\x01") for i, id in enumerate(ids)
    }
    flat = [byte for id, values in data.items() for byte in (id, *values)]
    if b"\xff\xff\xfd" not in bytes(flat):
        assert send.sync_write(address, 4, data) == sdk_sends(
            lambda sdk, port: sdk.syncWriteTxOnly(port, address, 4, flat, len(flat))
        )
    spans = [BulkRead(id, address + i, 1 + i) for i, id in enumerate(ids)]
    bulk = [byte for id, at, size in spans for byte in (id, at & 255, at >> 8, size, 0)]
    for fast, sync, bulky in (
        (False, send.sync_read, send.bulk_read),
        (True, send.fast_sync_read, send.fast_bulk_read),
    ):
        assert sync(address, 4, ids) == sdk_sends(
            lambda sdk, port, fast=fast: sdk.syncReadTx(port, address, 4, ids, len(ids), fast)
        )
        assert bulky(spans) == sdk_sends(
            lambda sdk, port, fast=fast: sdk.bulkReadTx(port, bulk, len(bulk), fast)
        )


def test_bulk_write_is_that_of_the_sdk() -> None:
    def call(sdk: Any, port: Recorder) -> None:
        group = GroupBulkWrite(port, sdk)
        group.addParam(1, 32, 2, [0xA0, 0x00])
        group.addParam(2, 31, 1, [0x50])
        group.txPacket()

    assert sdk_sends(call) == vectors.BULK_WRITE


def test_the_sdk_still_forgets_to_stuff() -> None:
    data = bytes.fromhex("FFFFFDFFFFFD")
    sdk = sdk_sends(lambda sdk, port: sdk.writeTxOnly(port, 1, 224, 6, list(data)))
    assert data in sdk, "the bytes of a header, which no packet may hold"
    assert data not in send.write(1, 224, data)
