"""What a server hands to its service for each connection."""

from __future__ import annotations

from typing import Protocol

from robosac.errors import LinkRefused
from robosac.link.endpoint import Caps, Endpoint
from robosac.link.peers import Peer


class Service(Protocol):
    """What a server is for.

    Each call has a thread of its own. When it returns, what was sent still goes, and the session
    ends; a LinkError that it raises refuses the other end with its text.
    """

    def session(self, session: Session) -> None:
        """Talk with a robot until `session.closed`."""
        ...

    def watch(self, session: Session) -> None:
        """Tell a viewer; it never says anything."""
        ...


class Session(Endpoint):
    """The server's end of one connection.

    Args:
        peer: who is at the other end, by its certificate.
        caps: sizes.
    """

    def __init__(self, peer: Peer, caps: Caps) -> None:
        super().__init__(caps)
        self.peer = peer

    def refuse(self, why: str) -> None:
        """End it, and let the other end's `receive` raise LinkRefused with `why`."""
        self.end(why, LinkRefused(why))
        self.close()
