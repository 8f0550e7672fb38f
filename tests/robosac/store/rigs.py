"""What several tests of the stores need."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from robosac.store.rows import Row, sealed
from tests.sweeps.sqlite_vfs import OK, Passing


def change(path: Path, statement: str) -> None:
    """Do to a store's file what nothing of ours would."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def rows_of(first_sequence: int, data: Sequence[bytes]) -> list[Row]:
    """Rows as an outbox hands them out."""
    return [sealed(sequence, one) for sequence, one in enumerate(data, first_sequence)]


class Refusing(Passing):
    """A disk that refuses on demand; see `tests.sweeps.sqlite_vfs`."""

    def __init__(self) -> None:
        self.write_answer = self.sync_answer = OK

    def write(self, path: str, offset: int, data: bytes) -> int:
        return self.write_answer

    def sync(self, path: str) -> int:
        return self.sync_answer


def until(condition: Callable[[], object]) -> None:
    """Wait for another thread. Raises AssertionError after a minute."""
    deadline = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.002)
