"""HTTP/2 and gRPC by hand, for what no client would send; RFC 9113 and RFC 7541.

gRPC: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

from __future__ import annotations

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""RFC 9113, section 3.4."""
DATA, HEADERS, SETTINGS_TYPE, WINDOW_UPDATE = 0, 1, 4, 8
END_HEADERS = 4


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """RFC 9113, section 4.1: u24 length, u8 type, u8 flags, u31 stream."""
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


SETTINGS = frame(SETTINGS_TYPE, 0, 0, b"")


def headers_frame(method: str, stream: int = 1, more: dict[str, str] | None = None) -> bytes:
    """Begins a gRPC call; every header as a literal without indexing (RFC 7541, section 6.2.2)."""
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": method,
        ":authority": "127.0.0.1",
        "te": "trailers",
        "content-type": "application/grpc",
        **(more or {}),
    }
    block = b"".join(b"\0" + _text(name) + _text(value) for name, value in fields.items())
    return frame(HEADERS, END_HEADERS, stream, block)


def message_head(length: int, compressed: bool = False) -> bytes:
    """What stands before a gRPC message: u8 whether it is compressed, u32 length."""
    return struct.pack(">BI", compressed, length)


def _text(text: str) -> bytes:
    raw = text.encode()
    assert len(raw) < 127
    return bytes([len(raw)]) + raw
