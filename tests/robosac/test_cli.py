"""The command line: one clear line for each mistake, exit code 2, and nothing half-written."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from robosac.bus_rates import reachable_rates
from robosac.cli import app
from tests.robosac.peers import peers_rig
from tests.robosac.synthetic_run import drawn_only

run = CliRunner().invoke
QUICK = ["--steps", "60", "--sac.random-steps", "30", "--sac.batch-size", "16"]
WALK = [*QUICK, "--task.episode-steps=20", "--evaluation.episodes", "1"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train"], "minitaur"),
        (["train", "dog"], "minitaur"),
        (["train", "gym:NoSuch-v0"], "NoSuch"),
        (["train", "gym:CartPole-v1"], "boxes of real numbers"),
        (["train", "minitaur", "--sac.batch-sise", "3"], "batch_size"),
        (["train", "minitaur", "--sac.batch-size", "many"], "batch_size"),
        (["train", "minitaur", "--sac.batch-size"], "needs a value"),
        (["train", "minitaur", "batch"], "--sac.batch-size 128"),
        (["train", "minitaur", "--robot.file", "none.yaml"], "cannot be read"),
        (["train", "minitaur", "--robot.file", "bad.yaml"], "lower_rad 3.5 is not below"),
        (["train", "minitaur", "--robot.calibration", "none.yaml"], "cannot be read"),
        (["train", "minitaur", "--robot.address", "twin://cat"], "twin://minitaur"),
        (["train", "minitaur", "--robot.address", "elsewhere"], "serial"),
        (["train", "--resume", "nowhere"], "not a run folder"),
        (["train", "minitaur", "--resume", "nowhere"], "give no preset"),
        (["evaluate", "nowhere"], "not a run folder"),
        (["report", "nowhere"], "not a run folder"),
        (["bench", "--picture", "peers.png"], "for --peers"),
        (["bench", "--peers", "--figures", "none/peers.json"], "there is no folder none"),
        (["twin", "dog"], "valid are minitaur, claw"),
        (["twin", "minitaur", "--faults", "servo:1=of"], "a servo can be off, stuck"),
        (["twin", "minitaur", "--faults", "servo:9=off"], "this twin has [1, 2, 3"),
        (["twin", "minitaur", "--faults", "bus=unplug"], "needs --link"),
        (["twin", "minitaur", "--link", "bad.yaml"], "cannot be made"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    here: Path, arguments: list[str], says: str
) -> None:
    nominal = (Path(__file__).parents[2] / "robosac/robots/minitaur.yaml").read_text()
    (here / "bad.yaml").write_text(nominal.replace("lower_rad: 0.5", "lower_rad: 3.5"))
    result = run(app, arguments)
    assert result.exit_code == 2, result.output
    assert says in result.stderr
    assert result.stderr.startswith("robosac: ")
    assert result.stderr.count("\n") == 1
    assert [entry.name for entry in here.iterdir()] == ["bad.yaml"]


def test_a_port_that_cannot_be_opened_is_named(here: Path) -> None:
    result = run(app, ["train", "minitaur", "--robot.address", "serial"])
    assert result.exit_code == 2
    assert "cannot open /dev/serial/by-id" in result.stderr
    assert not list(here.iterdir())


def test_the_settings_are_printed_with_their_units(here: Path) -> None:
    result = run(app, ["train", "minitaur", "--print-config", "--twin.supply-voltage-v", "14"])
    assert result.exit_code == 0
    assert "supply_voltage_v: 14.0" in result.stdout
    assert "m/s" in result.stdout
    assert not list(here.iterdir())


def test_async_is_a_setting_that_a_resumed_run_keeps(here: Path) -> None:
    result = run(app, ["train", "minitaur", "--async", "--print-config"])
    assert result.exit_code == 0
    section = result.stdout.partition("learner_process:")[2]
    assert section.split("\n")[1].split("#")[0].strip() == "used: true"


@pytest.mark.parametrize("command", ["train", "evaluate", "report", "bench", "twin"])
def test_help_has_an_example(command: str) -> None:
    result = run(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"robosac {command}" in result.stdout


def test_train_evaluate_report(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What the pictures look like is tested with the report.
    monkeypatch.setattr("robosac.report_html.render", drawn_only)
    assert run(app, ["train", "minitaur", "--run", "r", *WALK]).exit_code == 0
    table = run(app, ["evaluate", "r", "--best", "--episodes", "1", "--json"])
    assert table.exit_code == 0, table.output
    row = json.loads(table.stdout)
    assert row["kind"] == "evaluation"
    assert row["mechanical_power_w"] < row["power_w"]
    page = run(app, ["report", "r", "--json"])
    assert page.exit_code == 0, page.output
    assert (here / json.loads(page.stdout)["report"]).is_file()
    assert len(list((here / "r").glob("evaluation/*/episode.*"))) == 1
    again = run(app, ["train", "minitaur", "--run", "r", *WALK])
    assert again.exit_code == 2
    assert "exists" in again.stderr


def test_bench_prints_every_figure() -> None:
    result = run(app, ["bench", "--seconds", "0.1", "--json"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    reach = {f"reach {what}" for what in reachable_rates()}
    measured = {"twin", "updates_17_6", "updates_112_8", "inference"}
    limiter = {
        f"limiter {robot} {kind}{region}"
        for robot in ("minitaur", "claw")
        for kind in ("legal", "limited")
        for region in ("", ", keep-out on")
    }
    native = {"native_updates_17_6", "native_updates_112_8"}
    # All of them where there is a compiler, else none.
    assert set(figures) - native == measured | limiter | reach
    assert set(figures) & native in (native, set())
    assert all(value > 0 for figure in figures.values() for value in figure.values())


def test_bench_compares_with_whoever_is_installed_and_names_the_others(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robosac.peers.catalogue.find_spec", lambda name: None)
    monkeypatch.setattr("robosac.peers.comparison.started", peers_rig.here)
    monkeypatch.setattr(
        "robosac.peers.comparison.Plan", lambda **given: replace(peers_rig.PLAN, **given)
    )
    places = ["--figures", "peers.json", "--picture", "peers.png"]
    result = run(app, ["bench", "--peers", "--rounds", "2", "--json", *places])
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert printed == json.loads((here / "peers.json").read_text())
    assert (here / "peers.png").read_bytes().startswith(b"\x89PNG")
    (row,) = printed["updates"]
    # Without a compiler it says why.
    native = [] if "robosac, native core" in row["failed"] else ["robosac, native core"]
    assert list(row["contenders"]) == ["robosac", *native, "plain PyTorch"]
    assert printed["rounds"] == 2
    assert set(printed["missing"]) == {"stable-baselines3", "SBX", "SBX, 20 a call", "TorchRL"}
    assert "pip install" in result.stderr
