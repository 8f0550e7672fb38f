"""The numbers of a run for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


class EventFile:
    """TensorBoard's own event writer, imported only when a run is written.

    Args:
        folder: of the event files.
        epoch_s: Unix time the run began, s.
        resumed_at: step a resumed run starts from; TensorBoard then drops later points.
    """

    def __init__(self, folder: Path, epoch_s: float, resumed_at: int | None) -> None:
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        # Made by protobuf at run time, so no type checker knows the classes.
        messages: Any = {**vars(event_pb2), **vars(summary_pb2)}
        self._event, self._summary = messages["Event"], messages["Summary"]
        self._epoch_s = epoch_s
        self._writer: Any = EventFileWriter(str(folder))
        if resumed_at is not None:
            log = messages["SessionLog"]
            start = log(status=log.START)
            self._writer.add_event(
                self._event(wall_time=epoch_s, step=resumed_at + 1, session_log=start)
            )

    def write(self, step: int, wall_s: float, scalars: Mapping[str, float]) -> None:
        """Add one point to each of `scalars`, at an environment step and a wall time (s)."""
        values = [
            self._summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()
        ]
        summary = self._summary(value=values)
        self._writer.add_event(
            self._event(wall_time=self._epoch_s + wall_s, step=step, summary=summary)
        )

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
