"""Recordings of episodes on disk."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from robosac.error_traces import ErrorTraces
from robosac.errors import RunFolderError
from robosac.trace import Trace
from tests.robosac.synthetic_run import trot
from tests.robosac.synthetic_turn import turn


@pytest.mark.parametrize("trace", [trot(1.0), turn()], ids=["walk", "turn"])
def test_a_trace_comes_back(tmp_path: Path, trace: Trace) -> None:
    trace.save(tmp_path / "trace.npz")
    found = Trace.load(tmp_path / "trace.npz")
    assert found.joint_names == trace.joint_names
    assert found.reason_names == trace.reason_names
    assert found.signals.keys() == trace.signals.keys()
    for name, value in trace.signals.items():
        np.testing.assert_array_equal(found.signals[name], value)
    np.testing.assert_array_equal(found.joint_position, trace.joint_position)
    np.testing.assert_array_equal(found.action_executed, trace.action_executed)


def test_equal_traces_are_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        turn().save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_trace_of_an_older_run_is_read(tmp_path: Path) -> None:
    trace = trot(1.0)
    own = {f.name: np.asarray(getattr(trace, f.name)) for f in fields(trace) if f.name != "signals"}
    with (tmp_path / "trace.npz").open("wb") as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            **own,
            forward_velocity=trace.signals["forward_velocity"],
            roll=trace.signals["roll"],
            pitch=trace.signals["pitch"],
        )
    found = Trace.load(tmp_path / "trace.npz")
    assert list(found.signals) == ["forward_velocity", "roll", "pitch"]
    np.testing.assert_array_equal(found.signals["roll"], trace.signals["roll"])


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"joint_position": np.zeros((40, 9))}, r"trace.joint_position .* expected \(40, 10\)"),
        ({"action_executed": np.zeros((40, 10))}, r"trace.action_executed .* \(40, 9\)"),
        ({"action_requested": np.zeros((39, 9))}, "trace.action_requested"),
        ({"reward": np.zeros((40, 1))}, r"trace.reward .* expected \(40,\)"),
        ({"signals": {"angle_error": np.zeros(39)}}, r"trace.angle_error .* expected \(40,\)"),
        ({"signals": {"reward": np.zeros(40)}}, "columns of every trace"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changed: dict[str, object], says: str) -> None:
    with pytest.raises(RunFolderError, match=says):
        replace(turn(), **changed)  # type: ignore[arg-type]


def test_what_is_no_trace_is_named(tmp_path: Path) -> None:
    file = tmp_path / "trace.npz"
    turn().save(file)
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(RunFolderError, match="not a trace"):
        Trace.load(file)
    with pytest.raises(RunFolderError, match="not a trace"):
        Trace.load(tmp_path / "none.npz")
    np.savez(file, time_s=np.zeros(3))
    with pytest.raises(RunFolderError, match="not a trace"):
        Trace.load(file)


def test_error_traces_of_episodes_of_any_length(tmp_path: Path) -> None:
    traces = ErrorTraces.of([[1.0, 0.5, 0.2], [-2.0]], 0.1)
    assert traces is not None
    np.testing.assert_allclose(traces.time_s, [0.0, 0.1, 0.2])
    np.testing.assert_array_equal(traces.error_rad, [[1.0, 0.5, 0.2], [-2.0, np.nan, np.nan]])
    traces.save(tmp_path / "errors.npz")
    found = ErrorTraces.load(tmp_path / "errors.npz")
    np.testing.assert_array_equal(found.error_rad, traces.error_rad)
    assert ErrorTraces.of([[np.nan, np.nan], [np.nan]], 0.1) is None


def test_what_holds_no_error_traces_is_named(tmp_path: Path) -> None:
    turn().save(tmp_path / "trace.npz")
    with pytest.raises(RunFolderError, match="holds no error traces"):
        ErrorTraces.load(tmp_path / "trace.npz")
    with pytest.raises(RunFolderError, match="expected"):
        ErrorTraces(np.zeros(3), np.zeros((2, 4)))
