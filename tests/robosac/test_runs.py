"""The run folder and the recorded episode."""

from __future__ import annotations

import dataclasses
import datetime
import json
from pathlib import Path

import numpy as np
import pytest

from robosac.config import load_preset
from robosac.errors import RunFolderError
from robosac.files import write_whole
from robosac.metrics import EpisodeResult
from robosac.runs import RunFolder, run_path
from robosac.tasks.ends import EpisodeEnd
from robosac.trace import Trace
from tests.robosac.synthetic_run import NOON, trot


def make(path: Path) -> RunFolder:
    return RunFolder.create(path, load_preset("minitaur", ["seed=9"]), NOON)


def test_open_finds_what_create_made(tmp_path: Path) -> None:
    run = make(tmp_path / "a")
    assert RunFolder.open(tmp_path / "a") == run
    assert run.config.seed == 9
    assert run.created == NOON
    assert {"python", "torch", "mujoco", "robosac", "platform"} <= run.versions().keys()
    assert json.loads((run.path / "run.json").read_text())["format"] == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_run_path_from_preset_time_and_name() -> None:
    when = datetime.datetime(2026, 3, 4, 5, 6, 7, tzinfo=datetime.UTC)
    gym = load_preset("gym:Pendulum-v1", ["run_root=somewhere"])
    assert run_path(gym, when) == Path("somewhere/gym-Pendulum-v1-20260304-050607")
    assert run_path(load_preset("minitaur", ["run_name=first"]), when) == Path("runs/first")


def test_create_refuses_what_exists(tmp_path: Path) -> None:
    make(tmp_path / "a")
    with pytest.raises(RunFolderError, match="exists"):
        make(tmp_path / "a")


def test_create_clears_what_a_crash_left(tmp_path: Path) -> None:
    (tmp_path / ".a.part").mkdir()
    (tmp_path / ".a.part" / "torn").write_text("x")
    assert not (make(tmp_path / "a").path / "torn").exists()


@pytest.mark.parametrize("broken", ["no-run.json", "torn", "later", "settings"])
def test_open_refuses_in_one_clear_line(tmp_path: Path, broken: str) -> None:
    run = make(tmp_path / "a")
    header, settings = run.path / "run.json", run.path / "config.yaml"
    if broken == "no-run.json":
        header.unlink()
    elif broken == "torn":
        header.write_text('{"format"')
    elif broken == "later":
        header.write_text(header.read_text().replace("1,", "2,", 1))
    else:
        settings.write_text("preset: minitaur\nnonsense: 1\n")
    with pytest.raises(RunFolderError) as caught:
        RunFolder.open(run.path)
    assert "\n" not in str(caught.value)
    assert str(run.path) in str(caught.value)


def test_write_whole_leaves_the_old_file_when_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "f"
    write_whole(file, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(file, b"new")
    assert file.read_bytes() == b"old"


def test_evaluations(tmp_path: Path) -> None:
    run = make(tmp_path / "a")
    episodes = [EpisodeResult(length=5, return_=1.5, end=EpisodeEnd.TERMINATED)]
    run.save_episodes(20_000, episodes)
    run.evaluation_folder(3000)
    assert run.evaluation_steps() == [3000, 20_000]
    assert run.episodes(20_000) == episodes
    with pytest.raises(RunFolderError):
        run.episodes(3000)


def test_trace_round_trips(tmp_path: Path) -> None:
    trace = trot(1.0)
    trace.save(tmp_path / "trace.npz")
    loaded = Trace.load(tmp_path / "trace.npz")
    for field in dataclasses.fields(Trace):
        if field.name != "signals":
            np.testing.assert_array_equal(getattr(loaded, field.name), getattr(trace, field.name))
    assert set(loaded.signals) == set(trace.signals)
    for name, signal in trace.signals.items():
        np.testing.assert_array_equal(loaded.signals[name], signal)


def test_trace_refuses_shapes_that_do_not_fit() -> None:
    with pytest.raises(
        RunFolderError, match=r"trace.torque has shape \(3, 8\); expected \(50, 8\)"
    ):
        dataclasses.replace(trot(1.0), torque=np.zeros((3, 8)))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04torn", b"\x80\x04."])
def test_trace_refuses_damage(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "trace.npz").write_bytes(content)
    with pytest.raises(RunFolderError, match="is not a trace"):
        Trace.load(tmp_path / "trace.npz")
