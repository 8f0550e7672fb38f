"""What a run measures: typed rows, one JSON line each, and the same numbers for TensorBoard."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from robosac.errors import RunFolderError
from robosac.files import write_whole
from robosac.tasks.ends import EpisodeEnd

Number = float | None
"""None (null in the file): not measured, or not finite."""


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every row has."""

    step: int
    """Environment steps since the run began."""
    wall_s: float
    """Wall time since the run began, s."""
    robot_s: float
    """Time the robot moved under the policy since the run began, s."""


class EpisodeRow(Row, frozen=True, tag_field="kind", tag="episode"):
    """One training episode."""

    episode: int
    length: int
    """Policy steps."""
    return_: Number = msgspec.field(name="return")
    """Sum of rewards."""
    end: EpisodeEnd
    speed_m_s: Number = None
    """Mean forward velocity, m/s."""
    terms: dict[str, Number] = {}
    """Sum of each reward term."""
    limited: dict[str, float] = {}
    """Fraction of executor ticks each limiter reason was given in, 0 to 1."""
    smoothness: Number = None
    """Mean |second difference| of the executed actions; 0 is smooth."""


class LearnerRow(Row, frozen=True, tag_field="kind", tag="learner"):
    """The learner's state, averaged since the last such row."""

    updates: int
    """Gradient updates since the run began."""
    critic_loss: Number
    actor_loss: Number
    alpha: Number
    """Temperature."""
    entropy: Number
    """nats"""
    target_entropy: Number
    """nats"""
    q_mean: Number
    updates_per_s: Number


class EvaluationRow(Row, frozen=True, tag_field="kind", tag="evaluation"):
    """Episodes with the deterministic policy."""

    episodes: int
    return_mean: Number
    return_std: Number
    speed_m_s: Number = None
    """Mean forward velocity over the episodes, m/s."""
    speed_min_m_s: Number = None
    """Slowest episode, m/s."""
    falls: int = 0
    """Episodes that ended in a fall."""
    power_w: Number = None
    """Mean electrical power, W."""
    mechanical_power_w: Number = None
    """Mean of the sum of |torque * velocity|, W: what Tan et al. 2018 publish."""
    seconds_above_continuous_torque: Number = None
    """Longest time any motor spent above its continuous torque without a pause, s."""
    overheats: int = 0
    """Thermal cut-offs of a motor."""


class TimingRow(Row, frozen=True, tag_field="kind", tag="timing"):
    """How well the loops kept time since the last such row."""

    lateness_p50_ms: Number
    lateness_p99_ms: Number
    lateness_max_ms: Number
    ticks: int
    """Executor ticks."""
    skipped: int
    """Ticks missed altogether."""
    replies_lost: Number = None
    """Motors' replies that did not arrive in their tick."""
    replies_bad: Number = None
    """Messages on the motors' bus that were late, damaged, refused or meant nothing possible."""
    exchange_max_ms: Number = None
    """Longest exchange with the motors since the run began or was resumed, ms."""
    policy_us: Number = None
    """Mean time of one inference, us."""
    executor_us: Number = None
    """Mean time of one tick without waiting, us."""
    update_us: Number = None
    """Mean time of one gradient update, us."""


AnyRow = EpisodeRow | LearnerRow | EvaluationRow | TimingRow
_DECODER = msgspec.json.Decoder(AnyRow)
_ENCODER = msgspec.json.Encoder()


class EpisodeResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One evaluation episode, as stored in episodes.json."""

    length: int
    """Policy steps."""
    return_: float = msgspec.field(name="return")
    end: EpisodeEnd
    speed_m_s: Number = None
    power_w: Number = None
    mechanical_power_w: Number = None
    seconds_above_continuous_torque: Number = None
    overheats: int = 0


def summarise(
    episodes: Sequence[EpisodeResult], *, step: int, wall_s: float, robot_s: float
) -> EvaluationRow:
    """Mean, spread and worst of an evaluation's episodes (at least one)."""
    returns = [episode.return_ for episode in episodes]
    mean = sum(returns) / len(returns)
    spread = (sum((value - mean) ** 2 for value in returns) / len(returns)) ** 0.5
    speeds = [e.speed_m_s for e in episodes if e.speed_m_s is not None]
    powers = [e.power_w for e in episodes if e.power_w is not None]
    works = [e.mechanical_power_w for e in episodes if e.mechanical_power_w is not None]
    above = [e.seconds_above_continuous_torque for e in episodes]
    return EvaluationRow(
        step=step,
        wall_s=wall_s,
        robot_s=robot_s,
        episodes=len(episodes),
        return_mean=mean,
        return_std=spread,
        speed_m_s=sum(speeds) / len(speeds) if speeds else None,
        speed_min_m_s=min(speeds, default=None),
        falls=sum(episode.end == EpisodeEnd.TERMINATED for episode in episodes),
        power_w=sum(powers) / len(powers) if powers else None,
        mechanical_power_w=sum(works) / len(works) if works else None,
        seconds_above_continuous_torque=max((s for s in above if s is not None), default=None),
        overheats=sum(episode.overheats for episode in episodes),
    )


def read_rows(path: Path) -> list[AnyRow]:
    """Every whole row of a metrics file, in order; a torn last line is left out.

    Raises:
        RunFolderError: a line inside the file is not a row; the message names it.
    """
    return [row for row, _ in _rows(path)] if path.exists() else []


def truncate_after(path: Path, step: int) -> int:
    """Cut the rows later than `step`, and a torn last line; return how many rows were cut.

    Raises RunFolderError as `read_rows` does.
    """
    rows = list(_rows(path)) if path.exists() else []
    kept = [line for row, line in rows if row.step <= step]
    if path.exists():
        write_whole(path, b"".join(kept))
    return len(rows) - len(kept)


def _rows(path: Path) -> Iterator[tuple[AnyRow, bytes]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                yield _DECODER.decode(line), line
            except msgspec.DecodeError as error:
                raise RunFolderError(
                    f"{path} line {number} is not a metrics row: {error}"
                ) from error


class MetricsWriter:
    """Appends rows to a metrics file, and their numbers to a TensorBoard event file.

    Each row is with the operating system before `write` returns.

    Args:
        path: the metrics file; a torn last line is removed first.
        tensorboard: folder of the event files.
        epoch_s: Unix time the run began, s; labels the events.
        resumed_at: step a resumed run starts from; TensorBoard then drops later points.
    """

    def __init__(
        self, path: Path, tensorboard: Path, *, epoch_s: float, resumed_at: int | None = None
    ) -> None:
        _drop_torn_line(path)
        self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._events = _EventFile(tensorboard, epoch_s, resumed_at)

    def write(self, row: AnyRow) -> None:
        """Append one row. Raises OSError when the disk refuses."""
        line = _ENCODER.encode(row) + b"\n"
        written = os.write(self._handle, line)
        if written != len(line):
            raise OSError(f"metrics: wrote {written} of {len(line)} bytes; is the disk full?")
        self._events.write(row)

    def close(self) -> None:
        """Close both files; safe to call twice."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
            self._events.close()

    def __enter__(self) -> MetricsWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _drop_torn_line(path: Path) -> None:
    if path.exists():
        data = path.read_bytes()
        if not data.endswith(b"\n"):
            write_whole(path, data[: data.rfind(b"\n") + 1])


def scalars(row: AnyRow) -> dict[str, float]:
    """The numbers of a row by `kind/name`, nested names joined by `/`; None is left out."""
    fields: dict[str, Any] = msgspec.to_builtins(row)
    kind = fields.pop("kind")
    found: dict[str, float] = {}
    for name, value in fields.items():
        parts = {f"/{k}": v for k, v in value.items()} if isinstance(value, dict) else {"": value}
        for suffix, part in parts.items():
            if isinstance(part, int | float) and name not in ("step", "wall_s"):
                found[f"{kind}/{name}{suffix}"] = float(part)
    return found


class _EventFile:
    """TensorBoard's own event writer, imported only when a run is written."""

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

    def write(self, row: AnyRow) -> None:
        values = [
            self._summary.Value(tag=tag, simple_value=value) for tag, value in scalars(row).items()
        ]
        summary = self._summary(value=values)
        self._writer.add_event(
            self._event(wall_time=self._epoch_s + row.wall_s, step=row.step, summary=summary)
        )

    def close(self) -> None:
        self._writer.close()
