"""A server in a process of its own, whose memory a test can watch: prints its port, then serves."""

from __future__ import annotations

import sys

from tests.robosac.link.link_rig import ANY_PORT, Echo


def main() -> None:
    from robosac.link.server import LinkServer

    server = LinkServer(ANY_PORT, None, Echo())
    server.start()
    sys.stdout.write(f"{server.address.port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.close()


if __name__ == "__main__":
    main()
