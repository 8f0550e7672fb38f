"""Good messages to start from; golden bytes of the vendors' documents where there are any."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_STATUS = bytes.fromhex("FFFFFD0001080055 00A60000008CC0".replace(" ", ""))
_PING = bytes.fromhex("FFFFFD000107005500060426655D")
_FAST = bytes.fromhex(
    "FFFFFD00FE190055 0003A60000008408 00071F08000016CA 0004FF030000D19E".replace(" ", "")
)
_INSTRUCTIONS = tuple(
    bytes.fromhex(text)
    for text in (
        "FFFFFD00FE0300013142",
        "FFFFFD000107000284000400 1D15".replace(" ", ""),
        "FFFFFD00FE110083740004000196000000 02AA0000008287".replace(" ", ""),
        "FFFFFD00FE0D009201900002000292000100 1A05".replace(" ", ""),
        "FFFFFD0001030008 2F4E".replace(" ", ""),
    )
)
_QUERY = bytes.fromhex("11001F01130D")
_POSITION = bytes.fromhex("01000a07206000200150ff140400130d")
_REPLY = bytes.fromhex("2404000a005000000170ff230d181400")
_CHUNK = b"\x41\x01\x0514.2\r"
_RCV = b"rcv 0100 " + _REPLY.hex().upper().encode() + b" E B F r x-1\r\n"
_SEND = b"can send 8001 " + _POSITION.hex().encode() + b"\n"
_YPR = bytes.fromhex("FA01080093502E42833EF13F48B504BB9288")
_HI91 = bytes.fromhex(
    "5AA54C0014BB9108152309A2C44708151C00CCE861BE9A35563E65EA723F31D07CBD75DDC5BB6BD724BC8988FC40"
    "01006A41AB2A70C296D45041ED03434141F4F4C2CCCAF8BE736A19BEF0001C3D8D375C3F"
)
_ASK = b"$VNRRG,11*73\r\n"

SEEDS: Mapping[str, tuple[bytes, ...]] = MappingProxyType(
    {
        "moteus-multiplex": (_QUERY, _POSITION, _REPLY),
        "moteus-reply": (_REPLY,),
        "moteus-reading": (_REPLY,),
        "moteus-chunk": (_CHUNK,),
        "moteus-console": (b"4.000000\r\nOK\r\n", b"ERR unknown\r\n"),
        "fdcanusb-lines": (_RCV, b"OK *BD\r\n", b"ERR bad id\r\n"),
        "dynamixel-status": (_STATUS, _PING),
        "dynamixel-stream": (b"\x05" + _STATUS + _PING,),
        "dynamixel-ping": (_PING, _STATUS),
        "dynamixel-fast": (_FAST,),
        "vectornav-frame": (_YPR,),
        "vectornav-message": (_ASK[1:-2], _ASK),
        "vectornav-stream": (b"\x07" + _YPR + _ASK,),
        "vectornav-values": (b"\x00VN-100T-CR", b"\x071,4,01,0131"),
        "hipnuc-frame": (_HI91,),
        "hipnuc-stream": (b"\x10" + _HI91,),
        "hipnuc-firmware": (b"LOG HI91 ONTIME 0.01\r\n", b"SERIALCONFIG 921600\r\n"),
        "moteus-firmware": (b"\x01" + _QUERY, b"\x01" + _POSITION, b"\x7f" + _QUERY),
        "fdcanusb-firmware": (_SEND, b"can status\n", b"conf enumerate\n"),
        "vectornav-firmware": (_ASK, b"$VNWRG,75,1,4,01,0131*XX\r\n"),
        "dynamixel-firmware": _INSTRUCTIONS,
    }
)
