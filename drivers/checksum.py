"""The small checks that our devices put behind their bytes."""

from __future__ import annotations

import binascii

_CRC8_POLYNOMIAL = 0x97


def _crc8_table() -> bytes:
    table = bytearray(256)
    for value in range(256):
        crc = value
        for _ in range(8):
            crc = ((crc << 1) ^ _CRC8_POLYNOMIAL) & 0xFF if crc & 0x80 else crc << 1
        table[value] = crc
    return bytes(table)


_CRC8_TABLE = _crc8_table()


def crc8(data: bytes) -> int:
    """CRC-8 of the moteus UART dialect: polynomial 0x97, start 0, most significant bit first.

    Source: moteus docs/integration/uart.md. The check value of b"123456789" is 0x94.
    """
    crc = 0
    for byte in data:
        crc = _CRC8_TABLE[crc ^ byte]
    return crc


def crc16(data: bytes) -> int:
    """CRC-16 of the VN-100's binary frames: polynomial 0x1021, start 0; 0 over a whole frame.

    Source: VN-100 user manual UM001, section on the binary output's checksum.
    """
    return binascii.crc_hqx(data, 0)


_BUYPASS_POLYNOMIAL = 0x8005


def _buypass_table() -> tuple[int, ...]:
    table: list[int] = []
    for value in range(256):
        crc = value << 8
        for _ in range(8):
            crc = crc << 1 ^ _BUYPASS_POLYNOMIAL if crc & 0x8000 else crc << 1
        table.append(crc & 0xFFFF)
    return tuple(table)


_BUYPASS_TABLE = _buypass_table()


def crc16_buypass(data: bytes, crc: int = 0) -> int:
    """CRC-16/BUYPASS of Dynamixel Protocol 2.0: polynomial 0x8005, start 0, not reflected.

    A running sum goes on from `crc`. Source: ROBOTIS e-manual, "DYNAMIXEL Protocol 2.0", CRC. The
    check value of b"123456789" is 0xFEE8.
    """
    table = _BUYPASS_TABLE
    for byte in data:
        crc = (crc << 8 & 0xFF00) ^ table[crc >> 8 ^ byte]
    return crc


def xor8(data: bytes) -> int:
    """Exclusive or of all bytes: the VN-100's ASCII checksum between `$` and `*` (UM001)."""
    result = 0
    for byte in data:
        result ^= byte
    return result
