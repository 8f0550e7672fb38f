"""What `--dry-run` means: the twin, whatever is named; nothing written, no port, no waiting."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from calibration.record import Calibration
from robosac.assembly import make_stage
from robosac.calibrate_target import Target, target_of
from robosac.calibration_file import save
from robosac.cli import app
from robosac.config import load_preset
from robosac.errors import ConfigError
from robosac.robots.identity import for_a_twin
from robosac.settings import MinitaurConfig
from tests.calibration.specimens import MEASURED

run = CliRunner().invoke
BUTTON = ["robot.address=serial", "stop.button=cts:/dev/ttyNONE", "flight.record=on"]


def quadruped(*overrides: str) -> MinitaurConfig:
    config = load_preset("minitaur", overrides)
    assert isinstance(config, MinitaurConfig)
    return config


def test_a_dry_run_is_on_the_twin_and_waits_for_nobody(tmp_path: Path) -> None:
    config = quadruped(*BUTTON, "robot.calibration=not_there.yaml")
    assert Target(tmp_path / "out.yaml").robot(config) is config
    dry = Target(tmp_path / "out.yaml", True, tmp_path / "pages").robot(config)
    assert dry.robot.address == "twin://minitaur"
    assert dry.robot.calibration is None
    assert (dry.stop.button, dry.flight.record) == (None, "off")
    assert dry.stop.fault_journal is False


def test_the_twin_is_as_the_named_file_says_or_else_as_the_one_that_would_be_written(
    tmp_path: Path,
) -> None:
    named, out = tmp_path / "named.yaml", tmp_path / "out.yaml"
    target = Target(out, True, tmp_path)
    save(out, MEASURED)
    assert target.robot(quadruped()).robot.calibration == str(out)
    config = quadruped(f"robot.calibration={named}")
    assert target.robot(config).robot.calibration == str(out)
    save(named, MEASURED)
    assert target.robot(config).robot.calibration == str(named)


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out.yaml"
    dry = Target(out, True, tmp_path / "pages")
    dry.write(MEASURED)
    assert not out.exists()
    assert "was not made" in dry.closing
    assert dry.beside == tmp_path / "pages" / "out.yaml"
    Target(out).write(MEASURED)
    before = out.read_bytes()
    dry.write(msgspec.structs.replace(MEASURED, date="2026-03-03"))
    assert out.read_bytes() == before
    assert "is as it was" in dry.closing
    assert not (tmp_path / "out.yaml.previous").exists()


def test_pictures_have_a_place_of_their_own_only_in_a_dry_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--pictures is for --dry-run"):
        target_of(tmp_path / "out.yaml", False, tmp_path)
    made = target_of(tmp_path / "out.yaml", True, None)
    assert made.pictures is not None
    assert made.pictures.is_dir()
    made.pictures.rmdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be made"):
        _ = Target(tmp_path / "out.yaml", True, tmp_path / "file").beside


def test_undo_can_be_rehearsed(tmp_path: Path) -> None:
    out = tmp_path / "out.yaml"
    save(out, MEASURED)
    save(out, msgspec.structs.replace(MEASURED, date="2026-02-02"))
    before = out.read_bytes()
    told = run(app, ["calibrate", "undo", str(out), "--dry-run"])
    assert "would again be that of 2026-01-01" in told.output
    assert out.read_bytes() == before


def test_a_port_that_is_named_is_not_opened(tmp_path: Path) -> None:
    """The robot file's ports are not there: whoever opened one would fail."""
    arguments = ["latency", "minitaur", "--robot.address", "serial", "--stop.button", "cts:/dev/no"]
    out = str(tmp_path / "out.yaml")
    done = run(app, ["calibrate", *arguments, "--out", out])
    assert done.exit_code == 2
    assert "tracker" in done.output or "cannot open" in done.output
    assert not list(tmp_path.iterdir())


def of_today(measured: Calibration) -> Calibration:
    import datetime

    return msgspec.structs.replace(measured, date=datetime.date.today().isoformat())


def test_a_calibrated_robots_twin_stands_where_the_robot_would(tmp_path: Path) -> None:
    """Its zeros, its sensor's mounting and bias, but neither its ports nor its serial numbers."""
    path = tmp_path / "measured.yaml"
    far = {
        name: msgspec.structs.replace(
            joint, offset_correction_rad=joint.offset_correction_rad - 1.0
        )
        for name, joint in MEASURED.joints.items()
    }
    save(path, of_today(msgspec.structs.replace(MEASURED, joints=far)))
    stage = make_stage(quadruped(f"robot.calibration={path}", "task.episode_steps=5"))
    try:
        stage.env.reset(seed=1)
        executor = stage.executor
        assert executor is not None
        state = executor.state
        assert state is not None
        np.testing.assert_allclose(state.joints.position, 2.0, atol=0.4)
        assert state.imu is not None
        assert state.imu.tilt < 0.1
        assert np.abs(state.imu.angular_velocity).max() < 1.0
    finally:
        stage.close()


def test_a_twin_is_keyed_to_no_device() -> None:
    twin = for_a_twin(MEASURED)
    assert twin.ports == {}
    assert twin.imu is None
    assert all(joint.device is None for joint in twin.joints.values())
    names = tuple(MEASURED.joints)
    np.testing.assert_array_equal(twin.offsets(names), MEASURED.offsets(names))
