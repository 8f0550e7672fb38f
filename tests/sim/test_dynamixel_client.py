"""The vendor's own client, dynamixel-sdk 4.1.0, drives the line through every instruction it has.

Not tried with it, because its own defects would decide: data that need byte stuffing on their way
to the servo (it works the stuffing out, and sends the packet without it), and what it unstuffs
wrongly.
"""

import math

import pytest
from dynamixel_sdk import (
    COMM_NOT_AVAILABLE,
    COMM_RX_TIMEOUT,
    COMM_SUCCESS,
    GroupBulkRead,
    GroupBulkWrite,
    GroupSyncRead,
    GroupSyncWrite,
    Protocol2PacketHandler,
)

from sim.firmware.dynamixel.line import LineOptions
from sim.firmware.dynamixel.servo import BOOT_TIME_S, ServoSpec
from tests.sim.dynamixel_bench import DT, Bench

IDS = (3, 7, 4)
COUNTS = (166, 2079, 1023)
CLIENT = Protocol2PacketHandler()


class FakePort:
    """What the client calls on its port handler, with a line and virtual time behind it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.is_using = False
        self._arrived = b""
        self._deadline = 0.0

    def clearPort(self) -> None:
        self._arrived = b""
        self.bench.line.transmit()

    def writePort(self, packet: list[int]) -> int:
        self.bench.line.receive(bytes(packet))
        return len(packet)

    def readPort(self, length: int) -> bytes:
        self._arrived += self.bench.line.transmit()
        data, self._arrived = self._arrived[:length], self._arrived[length:]
        return data

    def getBaudRate(self) -> int:
        return 1_000_000

    def setPacketTimeout(self, length: int) -> None:
        self.setPacketTimeoutMillis(length * 0.01 + 34.0)

    def setPacketTimeoutMillis(self, milliseconds: float) -> None:
        self._deadline = self.bench.clock.now() + milliseconds * 1e-3

    def isPacketTimeout(self) -> bool:
        if self.bench.clock.now() > self._deadline:
            return True
        self.bench.run(DT)
        return False


@pytest.fixture(params=[False, True], ids=["at once", "timed"])
def port(request: pytest.FixtureRequest) -> FakePort:
    options = LineOptions(timed=request.param, host_baud=1_000_000)
    return FakePort(Bench(*map(ServoSpec, IDS), options=options, counts=COUNTS))


def test_ping_and_broadcast_ping(port: FakePort) -> None:
    assert CLIENT.ping(port, 7) == (1020, COMM_SUCCESS, 0)
    assert CLIENT.ping(port, 8) == (0, COMM_RX_TIMEOUT, 0)
    found, result = CLIENT.broadcastPing(port)
    assert result == COMM_SUCCESS
    assert found == {id: [1020, 48] for id in IDS}


def test_reads_of_every_width(port: FakePort) -> None:
    assert CLIENT.read1ByteTxRx(port, 7, 11) == (3, COMM_SUCCESS, 0)
    assert CLIENT.read2ByteTxRx(port, 7, 38) == (1193, COMM_SUCCESS, 0)
    assert CLIENT.read4ByteTxRx(port, 7, 132) == (2079, COMM_SUCCESS, 0)
    data, result, error = CLIENT.readTxRx(port, 7, 132, 12)
    assert (result, error, data[:4]) == (COMM_SUCCESS, 0, [0x1F, 0x08, 0, 0])
    for width, read in (
        (1, CLIENT.read1ByteRx),
        (2, CLIENT.read2ByteRx),
        (4, CLIENT.read4ByteRx),
    ):
        assert CLIENT.readTx(port, 3, 132, width) == COMM_SUCCESS
        assert read(port, 3) == (166, COMM_SUCCESS, 0)


def test_writes_of_every_width(port: FakePort) -> None:
    assert CLIENT.write1ByteTxRx(port, 7, 65, 1) == (COMM_SUCCESS, 0)
    assert CLIENT.write2ByteTxRx(port, 7, 84, 900) == (COMM_SUCCESS, 0)
    assert CLIENT.write4ByteTxRx(port, 7, 116, 2000) == (COMM_SUCCESS, 0)
    assert CLIENT.writeTxRx(port, 7, 112, 4, [5, 0, 0, 0]) == (COMM_SUCCESS, 0)
    servo = port.bench.line.servo(7).memory
    names = ("led", "position_p_gain", "goal_position", "profile_velocity")
    assert [servo[name] for name in names] == [1, 900, 2000, 5]
    for write, address, value in (
        (CLIENT.write1ByteTxOnly, 65, 0),
        (CLIENT.write2ByteTxOnly, 84, 700),
        (CLIENT.write4ByteTxOnly, 116, 1500),
    ):
        assert write(port, 7, address, value) == COMM_SUCCESS
    assert CLIENT.writeTxOnly(port, 7, 112, 4, [6, 0, 0, 0]) == COMM_SUCCESS
    assert [servo[name] for name in names] == [0, 700, 1500, 6]


@pytest.mark.parametrize(
    ("address", "width", "value", "error"),
    [(116, 4, 5000, 6), (11, 1, 9, 4), (116, 2, 5, 5), (132, 4, 5, 7), (14, 1, 5, 7)],
)
def test_the_client_is_told_every_status_error(
    port: FakePort, address: int, width: int, value: int, error: int
) -> None:
    data = list(value.to_bytes(width, "little"))
    assert CLIENT.writeTxRx(port, 7, address, width, data) == (COMM_SUCCESS, error)
    assert CLIENT.getRxPacketError(error) != ""


def test_alert_bit(port: FakePort) -> None:
    port.bench.line.servo(7).memory.data[70] = 0x20
    _, result, error = CLIENT.ping(port, 7)
    assert (result, error) == (COMM_SUCCESS, 0x80)
    assert "Hardware error" in CLIENT.getRxPacketError(error)


def test_reg_write_and_action(port: FakePort) -> None:
    for id in IDS:
        assert CLIENT.regWriteTxRx(port, id, 116, 4, [100, 0, 0, 0]) == (COMM_SUCCESS, 0)
    assert CLIENT.read1ByteTxRx(port, 3, 69) == (1, COMM_SUCCESS, 0)
    assert port.bench.line.servo(3).memory["goal_position"] == 166
    assert CLIENT.action(port, 0xFE) == COMM_SUCCESS
    assert [port.bench.line.servo(id).memory["goal_position"] for id in IDS] == [100] * 3
    assert CLIENT.regWriteTxOnly(port, 3, 65, 1, [1]) == COMM_SUCCESS
    assert CLIENT.action(port, 3) == COMM_SUCCESS
    assert port.bench.line.servo(3).memory["led"] == 1


def test_reboot(port: FakePort) -> None:
    assert CLIENT.write1ByteTxRx(port, 7, 64, 1) == (COMM_SUCCESS, 0)
    assert CLIENT.reboot(port, 7) == (COMM_SUCCESS, 0)
    assert CLIENT.ping(port, 7)[1] == COMM_RX_TIMEOUT
    port.bench.run(BOOT_TIME_S)
    assert CLIENT.read1ByteTxRx(port, 7, 64) == (0, COMM_SUCCESS, 0)


def test_clear_multi_turn(port: FakePort) -> None:
    assert CLIENT.write1ByteTxRx(port, 7, 11, 4) == (COMM_SUCCESS, 0)
    port.bench.turn(4096 * 3 + 5, IDS.index(7))
    assert CLIENT.read4ByteTxRx(port, 7, 132)[0] == 4096 * 3 + 5
    assert CLIENT.clearMultiTurn(port, 7) == (COMM_SUCCESS, 0)
    assert CLIENT.read4ByteTxRx(port, 7, 132) == (5, COMM_SUCCESS, 0)


@pytest.mark.parametrize(("option", "id"), [(0xFF, 1), (0x01, 7), (0x02, 7)])
def test_factory_reset(port: FakePort, option: int, id: int) -> None:
    assert CLIENT.write1ByteTxRx(port, 7, 9, 0) == (COMM_SUCCESS, 0)
    assert CLIENT.factoryReset(port, 7, option) == (COMM_SUCCESS, 0)
    port.bench.run(BOOT_TIME_S)
    port.bench.line.host_baud = 1_000_000 if option == 0x02 else 57_600
    assert CLIENT.ping(port, id) == (1020, COMM_SUCCESS, 0)
    assert CLIENT.read1ByteTxRx(port, id, 9) == (250, COMM_SUCCESS, 0)


@pytest.mark.parametrize("fast", [False, True])
def test_group_sync_read(port: FakePort, fast: bool) -> None:
    group = GroupSyncRead(port, CLIENT, 132, 4)
    assert all(group.addParam(id) for id in IDS)
    assert (group.fastSyncRead() if fast else group.txRxPacket()) == COMM_SUCCESS
    assert [group.getData(id, 132, 4) for id in IDS] == list(COUNTS)


@pytest.mark.parametrize("fast", [False, True])
def test_group_bulk_read(port: FakePort, fast: bool) -> None:
    group = GroupBulkRead(port, CLIENT)
    spans = {3: (132, 4), 7: (144, 2), 4: (11, 1)}
    assert all(group.addParam(id, *span) for id, span in spans.items())
    assert (group.fastBulkRead() if fast else group.txRxPacket()) == COMM_SUCCESS
    assert [group.getData(id, *span) for id, span in spans.items()] == [166, 120, 3]


def test_group_sync_write(port: FakePort) -> None:
    group = GroupSyncWrite(port, CLIENT, 116, 4)
    for id in IDS:
        assert group.addParam(id, list((100 * id).to_bytes(4, "little")))
    assert group.txPacket() == COMM_SUCCESS
    goals = [port.bench.line.servo(id).memory["goal_position"] for id in IDS]
    assert goals == [100 * id for id in IDS]


def test_group_bulk_write(port: FakePort) -> None:
    group = GroupBulkWrite(port, CLIENT)
    assert group.addParam(3, 116, 4, [44, 1, 0, 0])
    assert group.addParam(7, 65, 1, [1])
    assert group.txPacket() == COMM_SUCCESS
    assert port.bench.line.servo(3).memory["goal_position"] == 300
    assert port.bench.line.servo(7).memory["led"] == 1


def test_the_client_unstuffs_what_servos_stuff() -> None:
    """Velocity -3 after current -1, in the answer to one read."""
    bench = Bench(ServoSpec(7), counts=[2079])
    bench.joints.velocity[0] = -3 * 0.229 * math.tau / 60
    bench.line.control(bench.joints.position, bench.joints.velocity, 12.0, DT)
    bench.sense(current=-0.00269)
    data, result, _ = CLIENT.readTxRx(FakePort(bench), 7, 126, 10)
    assert result == COMM_SUCCESS
    assert bytes(data) == bytes.fromhex("FFFF FDFFFFFF 1F080000")


def test_broadcast_reads_are_the_clients_to_refuse(port: FakePort) -> None:
    assert CLIENT.ping(port, 0xFE)[1] == COMM_NOT_AVAILABLE
