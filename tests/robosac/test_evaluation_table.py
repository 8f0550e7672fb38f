"""Evaluations in words."""

from __future__ import annotations

import io

from rich.console import Console

from robosac.evaluation_table import describe, evaluation_table, measures
from robosac.metrics import EpisodeResult, EvaluationRow, summarise
from robosac.tasks.ends import EpisodeEnd


def judged(*episodes: EpisodeResult) -> EvaluationRow:
    return summarise(episodes, step=1000, wall_s=0.0, robot_s=0.0)


def turned(error: float, end: EpisodeEnd = EpisodeEnd.TRUNCATED) -> EpisodeResult:
    return EpisodeResult(
        length=40, return_=-10.0, end=end, power_w=4.2, start_error_rad=3.0, angle_error_rad=error,
        angle_error_median_rad=0.25, success=error < 0.1, frame_age_mean_s=0.036,
        frame_age_max_s=0.067,
    )  # fmt: skip


WALK = judged(
    EpisodeResult(
        length=500, return_=100.0, end=EpisodeEnd.TRUNCATED, speed_m_s=0.45, power_w=700.0,
        mechanical_power_w=60.0, seconds_above_continuous_torque=0.12,
    )
)  # fmt: skip
TURN = judged(turned(0.05), turned(0.15), turned(0.04, EpisodeEnd.CAMERA_LATE), turned(0.45))
GYM = judged(EpisodeResult(length=200, return_=-120.0, end=EpisodeEnd.TERMINATED))


def shown(row: EvaluationRow) -> str:
    out = io.StringIO()
    Console(file=out, width=120).print(evaluation_table(row, "run"))
    return out.getvalue()


def test_a_turning_task_is_told_by_its_errors() -> None:
    told = dict(measures(TURN))
    assert told["success"] == "25 %"
    assert told["final error below 0.1 rad"] == "25 %"
    assert told["final error below 0.2 rad"] == "50 %"
    assert told["final |error|, median, rad"] == "0.100"
    assert told["final |error|, 90 %, rad"] == "0.360"
    assert told["|error| over a rollout, median, rad"] == "0.250"
    assert told["|error| at the start, median, rad"] == "3.00"
    assert told["age of the picture, mean (most), ms"] == "36 (67)"
    assert told["cut short"] == "1 camera late"
    assert not {"falls", "speed, m/s", "mechanical power, W"} & told.keys()
    assert "published" not in shown(TURN)


def test_a_walker_is_told_beside_the_published_machine() -> None:
    told = dict(measures(WALK))
    assert (told["speed, m/s"], told["falls"], told["cut short"]) == ("0.45", "0", "none")
    assert told["longest above continuous torque, s"] == "0.12"
    assert not {"success", "final error below 0.1 rad"} & told.keys()
    table = shown(WALK)
    speed = next(line for line in table.splitlines() if "speed" in line)
    assert "0.60" in speed
    assert "1.18" in speed
    assert describe(WALK).startswith("0.45 m/s (published trot 0.60), 0 falls, 700 W electrical")


def test_a_plain_environment_has_a_return_alone() -> None:
    assert dict(measures(GYM)) == {"return": "-120.0 ± 0.0", "cut short": "none"}
    assert describe(GYM) == "return -120.0 ± 0.0 over 1"


def test_one_phrase_about_turning() -> None:
    assert describe(TURN) == (
        "final error 0.10 rad (90 % 0.36), below 0.1 rad 25 %, below 0.2 rad 50 %,"
        " over a rollout 0.25 rad, return -10.0 ± 0.0 over 4, cut short: 1 camera late"
    )
