"""The learner's end of the link: one server, many robots and viewers.

Who may call what is decided by the certificate, before the first byte of a message is read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import grpc

from robosac.errors import ConfigError, LinkError, LinkRefused
from robosac.link.addresses import Address
from robosac.link.credentials import server_credentials
from robosac.link.endpoint import Caps
from robosac.link.guard import require_safe
from robosac.link.key_folder import KeyFolder
from robosac.link.limits import SESSION, WATCH, LinkLimits, server_options
from robosac.link.peers import LOCAL, Peer, Role, parse_uri
from robosac.link.session import Service, Session

_ROLES: Final = {SESSION: Role.ROBOT, WATCH: Role.VIEWER}
_SPARE_THREADS: Final = 2
"""To refuse those for whom there is no place."""
STOP_S: Final = 2.0
"""Longest time that `close` waits for a service to return, s."""
FAREWELL_S: Final = 5.0
"""Longest time for what a service sent last to go, once it has returned, s."""
DEATH_KNOWN_S: Final = 0.1
"""After the last of a dead connection's requests it is known by then that nobody is there, s."""
_LONGEST_DETAIL: Final = 500


class LinkServer(grpc.GenericRpcHandler):
    """Listens from `start` to `close`; safe to use from any thread.

    Args:
        address: where; port 0 takes a free one.
        keys: a learner's; None: only for loopback.
        service: whom sessions are handed to.
        limits: sizes, numbers and times.

    Raises:
        ConfigError: keys are missing or not a learner's.
    """

    def __init__(
        self,
        address: Address,
        keys: KeyFolder | None,
        service: Service,
        limits: LinkLimits | None = None,
    ) -> None:
        require_safe(address, keys)
        self._keys, self._service, self._limits = keys, service, limits or LinkLimits()
        self._credentials = None if keys is None else server_credentials(keys)
        limits = self._limits
        self._caps = Caps(limits.down_bytes, limits.waiting_bytes, limits.received_bytes)
        self._lock = threading.Lock()
        self._sessions: dict[Session, threading.Thread] = {}
        self._closed = False
        places = limits.sessions + limits.viewers + _SPARE_THREADS
        self._pool = ThreadPoolExecutor(places, "link-server")
        self._server = grpc.server(
            self._pool,
            handlers=[self],
            options=server_options(limits),
            maximum_concurrent_rpcs=places,
        )
        self.address = address
        """Where it listens; with the real port after `start`."""

    def start(self) -> None:
        """Begin to listen.

        Raises:
            ConfigError: the address cannot be used.
        """
        try:
            if self._credentials is None:
                port = self._server.add_insecure_port(str(self.address))
            else:
                port = self._server.add_secure_port(str(self.address), self._credentials)
        except (RuntimeError, ValueError) as error:
            raise ConfigError(f"link address {self.address} cannot be listened on") from error
        if not port:
            raise ConfigError(f"link address {self.address} cannot be listened on")
        if self.address.path:
            Path(self.address.path).chmod(0o600)
        else:
            self.address = self.address.with_port(port)
        self._server.start()

    @property
    def sessions(self) -> tuple[Peer, ...]:
        """Who is connected."""
        with self._lock:
            return tuple(session.peer for session in self._sessions)

    def close(self) -> None:
        """End every session and stop listening; safe to call twice."""
        with self._lock:
            self._closed = True
            sessions = dict(self._sessions)
        for session in sessions:
            session.close()
        self._server.stop(0).wait()
        for thread in sessions.values():
            started = thread.ident is not None
            if started and thread is not threading.current_thread():
                thread.join(STOP_S)
        self._pool.shutdown(wait=False)

    def service(self, handler_call_details: Any) -> grpc.RpcMethodHandler | None:
        """See `grpc.GenericRpcHandler`: which function serves a method; None: there is none."""
        method = handler_call_details.method
        if method not in _ROLES:
            return None

        def serve(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            return self._serve(method, requests, context)

        # Without serialisers, messages stay bytes.
        return grpc.stream_stream_rpc_method_handler(serve)

    def _serve(
        self, method: str, requests: Iterator[bytes], context: grpc.ServicerContext
    ) -> Iterator[bytes]:
        """One call, from the check of who it is to its end; yields what is sent."""
        peer = self._identify(method, context)
        session = Session(peer, self._caps)
        watching = method == WATCH
        work = self._service.watch if watching else self._service.session
        gone = threading.Event()
        thread = threading.Thread(
            target=_work, args=(work, session, gone, context), name=f"link {peer}", daemon=True
        )
        refusal = self._admit(session, thread)
        if refusal:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, refusal)
        if not context.add_callback(lambda: self._release(session, gone)):
            self._release(session, gone)
            return
        context.send_initial_metadata(())
        said = threading.Event()
        reader = threading.Thread(
            target=_read,
            args=(requests, session, watching, said, gone),
            name="link reader",
            daemon=True,
        )
        reader.start()
        thread.start()
        deadline = time.monotonic() + self._limits.first_message_s
        yield from _outgoing(session, None if watching else deadline, said)
        self._finish(session, context)

    def _identify(self, method: str, context: grpc.ServicerContext) -> Peer:
        """Who calls; ends the call where it must not call this method."""
        role = _ROLES[method]
        if self._keys is None:
            return Peer(role, LOCAL)
        found: Mapping[str, Iterable[bytes]] = context.auth_context()  # type: ignore[assignment]
        uris = list(found.get("peer_uri", ()))
        try:
            if list(found.get("transport_security_type", ())) != [b"ssl"] or len(uris) != 1:
                raise ConfigError("the certificate must name one role")
            peer = parse_uri(uris[0].decode("ascii"))
        except (ConfigError, UnicodeDecodeError) as error:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, _short(str(error)))
        if peer.role is not role:
            context.abort(
                grpc.StatusCode.PERMISSION_DENIED,
                f"{peer} may not call {method}; it is for a {role.value}",
            )
        return peer

    def _admit(self, session: Session, thread: threading.Thread) -> str:
        """Give it a place, or say why there is none; its own older session gives way to it."""
        replaced: list[Session] = []
        with self._lock:
            if self._closed:
                return "the server closes"
            peer = session.peer
            if peer.name != LOCAL or self._keys is not None:
                replaced = [old for old in self._sessions if old.peer == peer]
            others = [old for old in self._sessions if old.peer.role is peer.role]
            limits = self._limits
            most = limits.viewers if peer.role is Role.VIEWER else limits.sessions
            if len(others) - len(replaced) >= most:
                return f"{len(others)} {peer.role.value} sessions are open; at most {most} may be"
            for old in replaced:
                self._sessions.pop(old)
            self._sessions[session] = thread
        for old in replaced:
            # Its computer has connected anew: what is left is a connection that nobody reads.
            old.refuse(f"replaced by a newer connection of {old.peer}")
        return ""

    def _release(self, session: Session, gone: threading.Event) -> None:
        session.end("the other end is gone")
        gone.set()
        with self._lock:
            self._sessions.pop(session, None)

    def _finish(self, session: Session, context: grpc.ServicerContext) -> None:
        """Tell the other end why it is over, where there is something to tell."""
        error = session.error
        if isinstance(error, LinkRefused):
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, _short(str(error)))
        elif error is not None:
            context.abort(grpc.StatusCode.DATA_LOSS, _short(str(error)))


def _outgoing(session: Session, deadline: float | None, said: threading.Event) -> Iterator[bytes]:
    """What the session sends, until its end; refuses who says nothing until `deadline` (s)."""
    while True:
        waits_s = None
        if deadline is not None and not said.is_set():
            waits_s = max(0.0, deadline - time.monotonic())
        try:
            sealed = session.take(waits_s)
        except TimeoutError:
            if not said.is_set():
                session.refuse("no message came in time after the session began")
                return
            continue
        if sealed is None:
            return
        yield sealed


def _read(
    requests: Iterable[bytes],
    session: Session,
    watching: bool,
    said: threading.Event,
    gone: threading.Event,
) -> None:
    """Hand on what comes, until the end; a viewer may say nothing."""
    why = "the other end closed the connection"
    try:
        for sealed in requests:
            said.set()
            if watching:
                session.refuse("a viewer must not send")
                return
            if not session.deliver(sealed):
                return
        # A connection that dies ends the requests like a farewell, just before it is known dead.
        if gone.wait(DEATH_KNOWN_S):
            return
    except grpc.RpcError:
        why = "the connection was lost"
    if watching and why.startswith("the other"):
        # It has said all that it may, and goes on listening.
        return
    session.end(why)


def _work(
    work: Callable[[Session], None],
    session: Session,
    gone: threading.Event,
    context: grpc.ServicerContext,
) -> None:
    """Run the service; what it raises goes to `threading.excepthook`, after the session's end."""
    try:
        work(session)
        session.close(FAREWELL_S)
    except LinkError as error:
        # What the other end said was no message, or the service would not have it.
        session.refuse(str(error))
    finally:
        session.close()
        if not gone.wait(FAREWELL_S):
            # It does not read what is sent to it, and would keep its place for ever.
            context.cancel()


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_DETAIL else text[:_LONGEST_DETAIL] + "..."
