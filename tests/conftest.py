"""For all tests: Ctrl-C means what it means on a terminal, and no test is timed."""

import os
import signal

from hypothesis import settings

# Arrays and networks here are small: more threads only get in the way of the tests beside them.
# Read when numpy and torch are imported, so it is set before either.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_configure() -> None:
    """A shell starts what runs in its background with SIGINT ignored, and children inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
