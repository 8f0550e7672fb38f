"""What a run measures: typed rows, one JSON line each, and the same numbers for TensorBoard."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from robosac.errors import RunFolderError
from robosac.event_file import EventFile
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
    start_error_rad: Number = None
    """|angle error| that the reset left, rad."""
    angle_error_rad: Number = None
    """|angle error| after the last step, rad."""
    angle_error_median_rad: Number = None
    """Median |angle error| over the rollout, rad: the measure of arXiv 1812.05905, 7.3."""
    success: bool | None = None
    """Whether the goal was held after the last step."""
    frame_age_mean_s: Number = None
    """Mean age of the camera's picture in an observation, s."""
    frame_age_max_s: Number = None
    joint_age_max_s: Number = None
    """Greatest age of a joint's values in an observation, s."""
    operator_calls: int | None = None
    """Times a person was called for since the run began."""
    get_ups: int | None = None
    """Times the robot got up by itself since the run began."""
    standing_rad: dict[str, Number] = {}
    """As the episode began: goal minus reading of each joint, and the body's roll and pitch."""
    lag_s: dict[str, Number] = {}
    """How far each joint stayed behind its goal, by how fast it was sent; see `tracking.Lag`."""
    faults: tuple[str, ...] = ()
    """What was wrong at the end, each as name (source)."""


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
    success: Number = None
    """Share of the episodes that ran their course and held the goal at their end, 0 to 1."""
    start_error_rad: Number = None
    """Median of the episodes' start errors, rad."""
    angle_error_rad: Number = None
    """Median of the episodes' final |angle error|, rad."""
    angle_error_p90_rad: Number = None
    """90 % of the episodes end with at most this |angle error|, rad."""
    angle_error_median_rad: Number = None
    """Median over the episodes of the median |angle error| over a rollout, rad."""
    within_0_1_rad: Number = None
    """Share of the episodes that ran their course and ended below 0.1 rad, 0 to 1."""
    within_0_2_rad: Number = None
    """The same below 0.2 rad."""
    frame_age_mean_s: Number = None
    """Mean age of the camera's picture in an observation, s."""
    frame_age_max_s: Number = None
    ends: dict[str, int] = {}
    """Episodes by the way they ended."""


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
    seed: int | None = None
    """What the environment was reset with."""
    speed_m_s: Number = None
    power_w: Number = None
    mechanical_power_w: Number = None
    seconds_above_continuous_torque: Number = None
    overheats: int = 0
    start_error_rad: Number = None
    """|angle error| that the reset left, rad."""
    angle_error_rad: Number = None
    """|angle error| after the last step, rad."""
    angle_error_median_rad: Number = None
    """Median |angle error| over the rollout, rad."""
    success: bool | None = None
    """Whether the goal was held after the last step."""
    frame_age_mean_s: Number = None
    """Mean age of the camera's picture in an observation, s."""
    frame_age_max_s: Number = None

    @property
    def ran_its_course(self) -> bool:
        """False where something outside the task cut the episode short."""
        return self.end in (EpisodeEnd.TERMINATED, EpisodeEnd.TRUNCATED)


def summarise(
    episodes: Sequence[EpisodeResult], *, step: int, wall_s: float, robot_s: float
) -> EvaluationRow:
    """Mean, spread and worst of an evaluation's episodes (at least one).

    An episode that was cut short, or whose last error is unknown, counts as one that failed.
    """
    returns = [episode.return_ for episode in episodes]
    mean = sum(returns) / len(returns)
    spread = (sum((value - mean) ** 2 for value in returns) / len(returns)) ** 0.5
    speeds = _known(e.speed_m_s for e in episodes)
    errors = _known(e.angle_error_rad for e in episodes)
    return EvaluationRow(
        step=step,
        wall_s=wall_s,
        robot_s=robot_s,
        episodes=len(episodes),
        return_mean=mean,
        return_std=spread,
        speed_m_s=_mean(speeds),
        speed_min_m_s=min(speeds, default=None),
        # Only a walker falls; elsewhere `terminated` means something else.
        falls=sum(e.end is EpisodeEnd.TERMINATED for e in episodes) if speeds else 0,
        power_w=_mean(_known(e.power_w for e in episodes)),
        mechanical_power_w=_mean(_known(e.mechanical_power_w for e in episodes)),
        seconds_above_continuous_torque=max(
            _known(e.seconds_above_continuous_torque for e in episodes), default=None
        ),
        overheats=sum(episode.overheats for episode in episodes),
        success=_success(episodes),
        start_error_rad=_quantile(_known(e.start_error_rad for e in episodes), 0.5),
        angle_error_rad=_quantile(errors, 0.5),
        angle_error_p90_rad=_quantile(errors, 0.9),
        angle_error_median_rad=_quantile(_known(e.angle_error_median_rad for e in episodes), 0.5),
        within_0_1_rad=_within(episodes, 0.1),
        within_0_2_rad=_within(episodes, 0.2),
        frame_age_mean_s=_mean(_known(e.frame_age_mean_s for e in episodes)),
        frame_age_max_s=max(_known(e.frame_age_max_s for e in episodes), default=None),
        ends={str(end): n for end, n in sorted(Counter(e.end for e in episodes).items())},
    )


def _known(values: Iterable[Number]) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value)]


def _mean(values: list[float]) -> Number:
    return sum(values) / len(values) if values else None


def _quantile(values: list[float], share: float) -> Number:
    """Linear between neighbours, as in NumPy."""
    if not values:
        return None
    ordered, place = sorted(values), share * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def _success(episodes: Sequence[EpisodeResult]) -> Number:
    if all(episode.success is None for episode in episodes):
        return None
    return sum(bool(e.success) and e.ran_its_course for e in episodes) / len(episodes)


def _within(episodes: Sequence[EpisodeResult], bound_rad: float) -> Number:
    """Share of the episodes that ended below `bound_rad`; None for a task without an angle."""
    if not any(_known((e.start_error_rad, e.angle_error_median_rad)) for e in episodes):
        return None
    hits = [
        e.ran_its_course and e.angle_error_rad is not None and e.angle_error_rad < bound_rad
        for e in episodes
    ]
    return sum(hits) / len(episodes)


def read_rows(path: Path) -> list[AnyRow]:
    """Every whole row of a metrics file, in order; a torn last line is left out.

    Raises:
        RunFolderError: a line inside the file is not a row; the message names it.
    """
    return [row for row, _ in _rows(path)] if path.exists() else []


def truncate_after(path: Path, step: int, *, evaluated_again: bool = False) -> int:
    """Cut the rows later than `step`, and a torn last line; return how many rows were cut.

    With `evaluated_again` an evaluation at `step` itself is cut too.

    Raises RunFolderError as `read_rows` does.
    """
    rows = list(_rows(path)) if path.exists() else []
    kept = [
        line
        for row, line in rows
        if row.step < step
        or (row.step == step and not (evaluated_again and isinstance(row, EvaluationRow)))
    ]
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
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise RunFolderError(
                    f"{path} line {number} is not a metrics row: {error}"
                ) from error


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
        self._events = EventFile(tensorboard, epoch_s, resumed_at)

    def write(self, row: AnyRow) -> None:
        """Append one row. Raises OSError when the disk refuses."""
        line = _ENCODER.encode(row) + b"\n"
        written = os.write(self._handle, line)
        if written != len(line):
            raise OSError(f"metrics: wrote {written} of {len(line)} bytes; is the disk full?")
        self._events.write(row.step, row.wall_s, scalars(row))

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
