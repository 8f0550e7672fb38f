"""docs/bring-up.md, typed line by line: the evening before, and the day, on the twins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main
from typer.testing import CliRunner

from calibration.file import load
from robosac.cli import app
from robosac.config import load_preset
from robosac.runs import RunFolder
from tests.robosac.bring_up_page import ROBOTS, Block, blocks, of_robot
from tests.robosac.bring_up_rig import FILE, OutOfTheBox, hurry

MEASURED = "my_calibration.yaml"
TRAINED_HERE = ["--executor.process", "in-process"]
"""The rig's twin is in this process, and so the executor must be."""


def typed(arguments: list[str], code: int = 0) -> str:
    """Type a command; what it printed."""
    done = CliRunner().invoke(app, arguments)
    told = f"robosac {' '.join(arguments)}\n{done.output}"
    assert done.exit_code == code, f"exit code {done.exit_code}: {told}\n{done.exc_info}"
    return told


def write(block: Block) -> None:
    """The file that a block is."""
    Path(block.words[1]).write_text(block.text)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The robot's own, in which everything is typed."""
    monkeypatch.chdir(tmp_path)
    hurry(monkeypatch)
    return tmp_path


def command_of(arguments: list[str]) -> tuple[Any, list[str]]:
    """The command that `arguments` reach, and what is left for it."""
    found: Any = typer.main.get_command(app)
    while hasattr(found, "commands"):
        name, *arguments = arguments
        found = found.commands[name]
    return found, arguments


def test_every_command_of_the_page_is_one_with_those_flags() -> None:
    typed_ones = [line for block in blocks() if block.kind == "sh" for line in block.commands()]
    assert len(typed_ones) > 40
    for arguments in typed_ones:
        command, rest = command_of(list(arguments))
        context = command.make_context("robosac", rest)
        preset = context.params.get("preset")
        if preset is None:
            assert not context.args, f"{arguments}: {context.args} mean nothing"
            continue
        pairs = zip(context.args[::2], context.args[1::2], strict=True)
        load_preset(preset, [f"{key.removeprefix('--')}={value}" for key, value in pairs])


def test_nothing_on_the_page_is_of_no_robot_but_what_takes_real_time() -> None:
    unmarked = [
        line
        for block in blocks()
        if block.kind == "sh" and not block.words
        for line in block.commands()
    ]
    assert {line[0] for line in unmarked} == {"dry-run", "estop", "faults"}
    assert all(block.words[0] in ROBOTS for block in blocks() if block.words)


@pytest.mark.slow
@pytest.mark.parametrize("robot", ROBOTS)
def test_the_evening_before(robot: str, folder: Path) -> None:
    for block in of_robot(robot):
        if block.kind == "yaml":
            write(block)
            continue
        for arguments in block.commands():
            if "--dry-run" in arguments:
                told = typed(arguments)
                assert "dry run: all of it on the twin" in told
                assert f"no port was opened, and {MEASURED} was not made" in told
            elif (
                arguments[0] in ("keys", "keepalive")
                or arguments[-1] == robot
                or "board" in arguments
            ):
                typed(arguments)
    assert not list(folder.glob("*calibration*"))
    pages = {page.name for page in (folder / "rehearsal").iterdir()}
    made = {"joints", "latency", "actuators"} | ({"imu"} if robot == "minitaur" else set())
    assert pages == {f"{MEASURED}.{what}.{kind}" for what in made for kind in ("png", "html")}


@pytest.fixture
def box(
    request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OutOfTheBox]:
    """A robot that nobody has measured."""
    made = OutOfTheBox(request.param, folder, monkeypatch, seed=11)
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("box", ROBOTS, indirect=True)
def test_the_day_ends_with_a_green_check_and_an_episode(box: OutOfTheBox, folder: Path) -> None:
    seen: list[str] = []
    for block in of_robot(box.robot):
        if block.kind == "yaml":
            write(block)
            continue
        for arguments in block.commands():
            if ("--dry-run" not in arguments and FILE in arguments) or arguments[0] == "report":
                seen.append(" ".join(arguments[:2]))
                one_step(box, block, arguments)
    assert seen[0] == f"check {box.robot}"
    assert seen[-1] == "report runs/first"
    truth_was_found(box)
    rows = RunFolder.open(folder / "runs" / "first").rows()
    assert rows, "no episode was run"
    assert (folder / "runs" / "first" / "report.html").exists()
    assert box.twin.hands is None


def one_step(box: OutOfTheBox, block: Block, arguments: list[str]) -> None:
    """Type one command of the day, and see what the page says one sees."""
    if arguments[0] == "check":
        document = json.loads(typed([*arguments, "--json"]).split("\n", 1)[1])
        assert document["place"] == "served twin"
        if "green" in block.words:
            levels = {row["name"]: row["level"] for row in document["rows"]}
            assert "red" not in levels.values()
            assert levels["calibration measured"] == levels["calibrated devices"] == "green"
        return
    if arguments[0] == "train":
        typed([*arguments, *(TRAINED_HERE if "serial" in arguments else [])])
        return
    if arguments[0] == "report":
        typed(arguments)
        return
    if "camera" in block.words:
        typed(["calibrate", *arguments[1:], "--square-mm", "27", "--keep-controls"])
        return
    assert "written: " in typed(arguments)


def truth_was_found(box: OutOfTheBox) -> None:
    """What nobody told is in the file."""
    found, drawn = load(MEASURED), load_zeros(box)
    corrections = np.array([joint.offset_correction_rad for joint in found.joints.values()])
    wrong = corrections - (drawn - np.array(box.bolts.zero_rad))
    # The valve's angle is known but for whole turns.
    wrong = (wrong + np.pi) % (2.0 * np.pi) - np.pi
    assert np.degrees(np.abs(wrong)).max() < 0.2
    assert {"joints", "latency", "actuators"} <= set(found.evidence)
    if box.robot == "minitaur":
        # The overhead camera's pictures, counted from the twin's readings.
        assert found.latency["camera"].mean_s == pytest.approx(0.04 - 0.015, abs=0.001)
        between = abs(float(np.dot(found.imu_mounting, box.bolts.mounting)))
        assert 2.0 * np.degrees(np.arccos(min(1.0, between))) < 0.5
        np.testing.assert_allclose(found.gyro_bias_rad_s, box.bolts.gyro_bias_rad_s, atol=0.002)
        assert found.ports == {"legs": "LEGS1", "imu": "IMU1"}


def load_zeros(box: OutOfTheBox) -> np.ndarray:
    """The robot file's own zeros, rad."""
    import yaml

    motors = yaml.safe_load(box.path.read_text())["motors"]
    return np.array([motor["offset_rad"] for motor in motors.values()])
