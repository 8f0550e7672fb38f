"""Check values are literals from the makers' documents."""

from drivers.checksum import crc8, crc16, crc16_buypass, xor8


def test_crc8_of_the_moteus_uart_dialect() -> None:
    # moteus docs/integration/uart.md: polynomial 0x97; and the line `OK *BD` of a true exchange.
    assert crc8(b"123456789") == 0x94
    assert crc8(b"OK ") == 0xBD


def test_crc16_is_zero_over_the_manuals_frame() -> None:
    # VN-100 UM001, example of a binary output message (yaw, pitch, roll).
    frame = bytes.fromhex("FA010800 93502E42 833EF13F 48B504BB 9288")
    assert crc16(frame[1:]) == 0
    assert crc16(frame[1:-2]) == 0x9288


def test_xor8_of_the_manuals_read_command() -> None:
    assert xor8(b"VNRRG,11") == 0x73


def test_crc16_buypass_of_dynamixel_protocol_2() -> None:
    # The catalogue's check value, and the e-manual's ping of servo 1.
    assert crc16_buypass(b"123456789") == 0xFEE8
    assert crc16_buypass(bytes.fromhex("FFFFFD00 01 0300 01")) == 0x4E19
    assert crc16_buypass(b"6789", crc16_buypass(b"12345")) == 0xFEE8


def by_bits(data: bytes, width: int, polynomial: int) -> int:
    """A CRC by its definition: start 0, most significant bit first."""
    crc, top = 0, 1 << width - 1
    for byte in data:
        for bit in range(7, -1, -1):
            ahead = (crc & top != 0) ^ (byte >> bit & 1)
            crc = (crc << 1 ^ (polynomial if ahead else 0)) & (2 * top - 1)
    return crc


def test_every_byte_counts_as_the_polynomials_say() -> None:
    for value in range(256):
        for data in (bytes([value]), bytes([value, 0xA5]), bytes([0x5A, value])):
            assert crc8(data) == by_bits(data, 8, 0x97)
            assert crc16(data) == by_bits(data, 16, 0x1021)
            assert crc16_buypass(data) == by_bits(data, 16, 0x8005)
