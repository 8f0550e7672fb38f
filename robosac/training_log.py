"""What training tells: metrics rows, evaluations and progress, the same in lock-step and not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drivers.statistics import BusStatistics
from robosac.evaluation import Policy, evaluate
from robosac.evaluation_table import describe
from robosac.messages import LearnerMeans
from robosac.metrics import (
    EpisodeResult,
    EvaluationRow,
    LearnerRow,
    MetricsWriter,
    TimingRow,
    summarise,
)
from robosac.policies import save_policy
from robosac.progress import Progress
from robosac.recorder import EpisodeRecorder
from robosac.runs import RunFolder
from robosac.stage import Stage
from robosac.stopwatch import Stopwatch


class TrainingLog:
    """Writes the rows of one run.

    Args:
        run: its folder.
        stage: where it acts.
        metrics: where rows go.
        progress: what the user sees.
        wall_clock: monotonic seconds, for labels only.
    """

    def __init__(
        self,
        run: RunFolder,
        stage: Stage,
        metrics: MetricsWriter,
        progress: Progress,
        wall_clock: Callable[[], float],
    ) -> None:
        self._run, self._stage, self._metrics, self.progress = run, stage, metrics, progress
        self._wall_clock = wall_clock
        self._started = wall_clock()
        self.wall_before = 0.0
        """Wall time of earlier sittings, s."""
        self.stopwatch = Stopwatch(wall_clock)
        self._ticks_before = self._replies_before = (0, 0)

    @property
    def wall_s(self) -> float:
        """Wall time of this run, earlier sittings included, s."""
        return self.wall_before + self._wall_clock() - self._started

    def evaluate(
        self,
        policy: Any,
        step: int,
        robot_s: float,
        on_episode: Callable[[EpisodeResult], None] | None = None,
    ) -> EvaluationRow:
        """Run the configured evaluation and record it with its policy."""
        self.progress.update(note="evaluating")
        section = self._run.config.evaluation
        judged: Policy = policy
        found = evaluate(
            self._stage, judged, section.episodes, self._run.config.seed, on_episode=on_episode
        )
        row = summarise(found.episodes, step=step, wall_s=self.wall_s, robot_s=robot_s)
        found.keep(self._run, step)
        save_policy(self._run.evaluation_folder(step), policy)
        self._metrics.write(row)
        self.progress.update(evaluation=describe(row), note="")
        return row

    def learner(self, means: LearnerMeans, robot_s: float) -> None:
        """Record what the newest updates saw."""
        self._metrics.write(
            LearnerRow(
                step=means.step,
                wall_s=self.wall_s,
                robot_s=robot_s,
                updates=means.updates,
                critic_loss=means.critic_loss,
                actor_loss=means.actor_loss,
                alpha=means.alpha,
                entropy=means.entropy,
                target_entropy=means.target_entropy,
                q_mean=means.q_mean,
                updates_per_s=means.updates_per_s,
            )
        )
        self.progress.update(
            alpha=means.alpha,
            entropy=means.entropy,
            target_entropy=means.target_entropy,
            updates_per_s=means.updates_per_s,
            learner_core=means.core,
            note="",
        )

    def timing(self, step: int, robot_s: float, update_us: float | None) -> None:
        """Record how the executor kept time; only where there is one."""
        executor = self._stage.executor
        if executor is None:
            return
        counts = executor.statistics()
        ticks, skipped = self._ticks_before
        self._ticks_before = (counts.ticks, counts.skipped)
        bus = self._stage.bus_statistics() if self._stage.bus_statistics else BusStatistics()
        lost, bad = self._replies_before
        self._replies_before = (bus.lost, _bad(bus))
        self._metrics.write(
            TimingRow(
                step=step,
                wall_s=self.wall_s,
                robot_s=robot_s,
                lateness_p50_ms=counts.lateness_p50 * 1e3,
                lateness_p99_ms=counts.lateness_p99 * 1e3,
                lateness_max_ms=counts.lateness_max * 1e3,
                ticks=counts.ticks - ticks,
                skipped=counts.skipped - skipped,
                replies_lost=bus.lost - lost,
                replies_bad=_bad(bus) - bad,
                exchange_max_ms=bus.longest_s * 1e3,
                policy_us=self.stopwatch.take_us("policy"),
                executor_us=self.stopwatch.take_us("tick"),
                update_us=update_us,
            )
        )

    def episode(
        self,
        recorder: EpisodeRecorder,
        episode: int,
        step: int,
        robot_s: float,
        falls: int,
        replay_bytes: int,
        operator_calls: int | None,
        get_ups: int | None,
    ) -> None:
        """Record one episode."""
        self._metrics.write(
            recorder.row(
                step=step,
                wall_s=self.wall_s,
                robot_s=robot_s,
                episode=episode,
                operator_calls=operator_calls,
                get_ups=get_ups,
            )
        )
        self.progress.update(
            episode_return=recorder.total_reward,
            speed_m_s=recorder.speed,
            falls=None if recorder.speed is None else falls,
            angle_error_rad=recorder.angle_error,
            angle_error_median_rad=recorder.median_angle_error,
            operator_calls=operator_calls,
            get_ups=get_ups,
            success=recorder.success,
            replay_bytes=replay_bytes,
        )


def _bad(bus: BusStatistics) -> int:
    """Messages on the motors' bus that could not be used."""
    return bus.late + bus.corrupt + bus.implausible + bus.refused
