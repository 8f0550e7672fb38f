"""The link between robots' computers and a learner: gRPC with mutual TLS; see docs/link.md.

Carries bytes and knows no message, no torch and no numpy.
"""
