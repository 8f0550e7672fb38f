"""How much the link takes, and for how long it waits; and the same as options of gRPC's core.

Options: grpc/grpc, include/grpc/impl/channel_arg_names.h.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from robosac.link.envelope import ENVELOPE_BYTES, SHARED_BYTES

MIB: Final = 1 << 20
SESSION: Final = "/robosac.Link/Session"
"""gRPC method of robots: messages both ways."""
WATCH: Final = "/robosac.Link/Watch"
"""gRPC method of viewers: messages down only."""
Options = list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class LinkLimits:
    """Both ends must have the same sizes; safety reference, section 5.2.

    Raises:
        ValueError: one that is not positive.
    """

    up_bytes: int = 4 * MIB
    """Longest message to the learner."""
    down_bytes: int = 64 * MIB
    """Longest message from the learner."""
    waiting_bytes: int = 128 * MIB
    """Most that waits to be sent in one connection; more is refused."""
    received_bytes: int = 128 * MIB
    """Received and not yet taken: above it no more is read, and the other end has to wait."""
    sessions: int = 4
    """Robots at once."""
    viewers: int = 4
    """Viewers at once."""
    connections: int = 32
    """TCP connections at once, those whose handshake is not over included."""
    handshake_s: float = 4.5
    """Longest time for TCP, TLS and HTTP/2 to begin, s; silence holds no place for 5 s."""
    first_message_s: float = 4.5
    """Longest time from the begin of a session to the robot's first message, s."""
    ping_every_s: float = 1.0
    """Silence after which the other end is asked whether it lives, s; gRPC asks once a second."""
    ping_within_s: float = 2.0
    """Time for it to answer, s."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise ValueError(
                    f"link limit {field.name} is {getattr(self, field.name)}; it must be above 0"
                )


def server_options(limits: LinkLimits) -> Options:
    """For the learner's end."""
    return [
        *_common(limits),
        ("grpc.max_receive_message_length", _longest(limits.up_bytes)),
        ("grpc.max_send_message_length", _longest(limits.down_bytes)),
        ("grpc.server_handshake_timeout_ms", _ms(limits.handshake_s)),
        # A connection on which nothing is called is of no use either.
        ("grpc.max_connection_idle_ms", _ms(limits.handshake_s)),
        ("grpc.max_connection_age_grace_ms", _ms(limits.handshake_s)),
        ("grpc.max_allowed_incoming_connections", limits.connections),
        ("grpc.max_concurrent_streams", 2),
        # With it, a second learner would take a part of the robots without anybody's notice.
        ("grpc.so_reuseport", 0),
        ("grpc.http2.max_ping_strikes", 0),
    ]


def client_options(limits: LinkLimits) -> Options:
    """For a robot's or viewer's end."""
    return [
        *_common(limits),
        ("grpc.max_receive_message_length", _longest(limits.down_bytes)),
        ("grpc.max_send_message_length", _longest(limits.up_bytes)),
        # Despite its name the time that one attempt may take.
        ("grpc.min_reconnect_backoff_ms", _ms(limits.handshake_s)),
        ("grpc.enable_retries", 0),
        ("grpc.enable_http_proxy", 0),
        ("grpc.service_config_disable_resolution", 1),
        # Otherwise a failed attempt would hold up the next one by a back-off of gRPC's own.
        ("grpc.use_local_subchannel_pool", 1),
    ]


def _common(limits: LinkLimits) -> Options:
    return [
        # A compressed message is capped only before it is unpacked, so none is taken.
        ("grpc.compression_enabled_algorithms_bitset", 1),
        ("grpc.per_message_compression", 0),
        ("grpc.per_message_decompression", 0),
        ("grpc.max_metadata_size", 8 * 1024),
        ("grpc.absolute_max_metadata_size", 16 * 1024),
        ("grpc.keepalive_time_ms", _ms(limits.ping_every_s)),
        ("grpc.keepalive_timeout_ms", _ms(limits.ping_within_s)),
        # The keep-alive's own time-out is not enough: this core waits a minute for any ping.
        ("grpc.http2.ping_timeout_ms", _ms(limits.ping_within_s)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.min_ping_interval_without_data_ms", _ms(limits.ping_every_s / 2)),
    ]


def _longest(message_bytes: int) -> int:
    """Of an envelope."""
    return max(message_bytes, SHARED_BYTES) + ENVELOPE_BYTES


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
