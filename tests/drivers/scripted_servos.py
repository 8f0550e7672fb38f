"""Servos that answer as they are told to, for scripts; they share no code with the driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator


def crc_bit_by_bit(data: bytes) -> int:
    """The e-manual's CRC (polynomial 0x8005) without a table."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x18005 if crc & 0x8000 else crc << 1
    return crc


def stuffed(body: bytes) -> bytes:
    """`body` byte by byte, with FD behind FF FF FD."""
    out = bytearray()
    for byte in body:
        out.append(byte)
        if out[-3:] == b"\xff\xff\xfd":
            out.append(0xFD)
    return bytes(out)


def status_bytes(id: int, parameters: bytes = b"", error: int = 0) -> bytes:
    """A status packet."""
    body = stuffed(bytes([0x55, error]) + parameters)
    packet = b"\xff\xff\xfd\x00" + bytes([id]) + (len(body) + 2).to_bytes(2, "little") + body
    return packet + crc_bit_by_bit(packet).to_bytes(2, "little")


class ScriptedServos:
    """Control tables in memory that answer on a scripted wire.

    Attributes:
        memory: the tables, by id.
        silent: ids that neither hear nor answer.
        chain_breaks: nobody answers a sync read behind a silent servo.
        error: the error byte of each servo.
        now: the clock that they count their milliseconds by, s.
        refuse: addresses that cannot be written, and the status error that says so.
        log: instruction, id and parameters of every packet heard.
    """

    def __init__(self, ids: tuple[int, ...], model: int = 1020, firmware: int = 48) -> None:
        self.memory = {id: bytearray(700) for id in ids}
        for id, table in self.memory.items():
            table[0:2] = model.to_bytes(2, "little")
            table[6], table[7], table[8], table[68] = firmware, id, 3, 2
            table[144:147] = bytes([120, 0, 35])
        self.silent: set[int] = set()
        self.chain_breaks = False
        self.now: Callable[[], float] = lambda: 0.0
        self.error = dict.fromkeys(ids, 0)
        self.refuse: dict[int, int] = {}
        self.log: list[tuple[int, int, bytes]] = []

    def set(self, id: int, address: int, size: int, value: int) -> None:
        self.memory[id][address : address + size] = value.to_bytes(size, "little", signed=value < 0)

    def get(self, id: int, address: int, size: int, signed: bool = False) -> int:
        data = self.memory[id][address : address + size]
        return int.from_bytes(data, "little", signed=signed)

    def answer(self, packet: bytes) -> bytes:
        """What comes back for one packet written; it must be whole and right."""
        assert packet.startswith(b"\xff\xff\xfd\x00")
        assert int.from_bytes(packet[5:7], "little") == len(packet) - 7
        assert crc_bit_by_bit(packet[:-2]) == int.from_bytes(packet[-2:], "little")
        body = packet[7:-2].replace(b"\xff\xff\xfd\xfd", b"\xff\xff\xfd")
        id, instruction, parameters = packet[4], body[0], body[1:]
        self.log.append((instruction, id, parameters))
        for each in self.memory:
            self.set(each, 120, 2, int(self.now() * 1000) % 32768)
        if instruction in (0x82, 0x8A):
            address, size = (int.from_bytes(parameters[i : i + 2], "little") for i in (0, 2))
            if instruction == 0x8A:
                return self._fast(address, size, parameters[4:])
            return b"".join(self._sync(address, size, parameters[4:]))
        if instruction == 0x83:
            self._sync_write(parameters)
            return b""
        return self._single(id, instruction, parameters)

    def _single(self, id: int, instruction: int, parameters: bytes) -> bytes:
        if id not in self.memory or id in self.silent:
            return b""
        table, error = self.memory[id], self.error[id]
        if instruction == 0x01:
            return status_bytes(id, bytes(table[0:2]) + bytes(table[6:7]), error)
        if instruction == 0x08:
            table[64] = table[98] = 0
            return status_bytes(id, b"", error)
        address = int.from_bytes(parameters[:2], "little")
        if instruction == 0x02:
            size = int.from_bytes(parameters[2:4], "little")
            return status_bytes(id, bytes(table[address : address + size]), error)
        assert instruction == 0x03
        if address in self.refuse:
            return status_bytes(id, b"", error | self.refuse[address])
        table[address : address + len(parameters) - 2] = parameters[2:]
        return status_bytes(id, b"", error) if table[68] == 2 else b""

    def _sync(self, address: int, size: int, ids: bytes) -> Iterator[bytes]:
        for id in ids:
            if id in self.silent or id not in self.memory:
                if self.chain_breaks:
                    return
                continue
            data = bytes(self.memory[id][address : address + size])
            yield status_bytes(id, data, self.error[id])

    def _fast(self, address: int, size: int, ids: bytes) -> bytes:
        length = 1 + len(ids) * (size + 4)
        packet = b"\xff\xff\xfd\x00\xfe" + length.to_bytes(2, "little") + b"\x55"
        for id in ids:
            if id in self.silent:
                break
            packet += bytes([self.error[id], id]) + self.memory[id][address : address + size]
            packet += crc_bit_by_bit(packet).to_bytes(2, "little")
        return packet

    def _sync_write(self, parameters: bytes) -> None:
        address, size = (int.from_bytes(parameters[i : i + 2], "little") for i in (0, 2))
        for at in range(4, len(parameters), 1 + size):
            id = parameters[at]
            if id in self.memory and id not in self.silent:
                self.memory[id][address : address + size] = parameters[at + 1 : at + 1 + size]
