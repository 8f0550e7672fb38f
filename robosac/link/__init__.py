"""The link between robots' computers and a learner: gRPC with mutual TLS; see docs/link.md.

Carries bytes and knows no message, no torch and no numpy.
"""

import os

# What gRPC's core says of a broken connection would tear a live display apart, and the link tells
# it itself; errors are still said. Read once, when gRPC is imported.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
