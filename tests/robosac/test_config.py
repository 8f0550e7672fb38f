"""Settings: strict in, whole out."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robosac.config import RECIPES, dump, load_preset, parse, presets
from robosac.errors import ConfigError
from robosac.sac.settings import FastPixels, FastVectors, SacSettings
from robosac.settings import GymConfig, MinitaurConfig, SacSection
from robosac.yaml_text import YamlError, parse_yaml, yaml_scalar


def robot(*overrides: str) -> MinitaurConfig:
    config = load_preset("minitaur", overrides)
    assert isinstance(config, MinitaurConfig)
    return config


BASE = robot()


def refusal(*overrides: str, preset: str = "minitaur") -> str:
    with pytest.raises(ConfigError) as caught:
        load_preset(preset, overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_minitaur_is_the_papers_experiment() -> None:
    """160 k control steps, 500 steps an episode: arXiv 1812.05905, section 7.2."""
    config = robot()
    assert (config.steps, config.task.episode_steps) == (160_000, 500)


@pytest.mark.parametrize("preset", ["minitaur", "claw", "claw-pixels", "gym:Pendulum-v1"])
def test_paper_recipe_is_table_1(preset: str) -> None:
    """arXiv 1812.05905, Table 1."""
    config = load_preset(preset, ["recipe=paper"])
    sac = config.sac
    assert sac.learning_rate == 3e-4
    assert sac.discount == 0.99
    assert sac.replay_capacity in (1_000_000, config.steps), "nothing of a run is forgotten"
    assert sac.hidden_units == (256, 256)
    assert sac.batch_size == 256
    assert sac.target_entropy is None
    assert sac.target_smoothing == 0.005
    assert sac.updates_per_step == 1


def test_sac_section_mirrors_the_learners_settings() -> None:
    ours = {field.name: field.default for field in msgspec.structs.fields(SacSection)}
    theirs = {field.name: field.default for field in dataclasses.fields(SacSettings)}
    pixels, vectors = ours.pop("pixels"), ours.pop("vectors")
    ours.pop("random_correlation")  # who explores needs it, not who learns
    ours.pop("return_steps")  # what a batch is drawn from
    assert ours == theirs
    assert msgspec.structs.asdict(pixels) == dataclasses.asdict(FastPixels())
    # The symmetry itself is the task's; a setting says whether it is used.
    assert msgspec.structs.asdict(vectors) | {"symmetry": None} == dataclasses.asdict(FastVectors())


def test_a_recipe_changes_its_presets_defaults() -> None:
    paper, fast = robot(), robot("recipe=fast")
    assert (paper.recipe, paper.sac.updates_per_step, paper.sac.discount) == ("paper", 1, 0.99)
    assert (fast.recipe, fast.sac.updates_per_step, fast.sac.discount) == ("fast", 4, 0.98)
    assert (paper.sac.vectors.symmetry, fast.sac.vectors.symmetry) == (False, True)
    # What the recipe does not name is the preset's.
    assert fast.sac.random_steps == paper.sac.random_steps == 1000
    assert msgspec.structs.replace(fast, sac=paper.sac, task=paper.task, recipe="paper") == paper


@pytest.mark.parametrize("before", [True, False])
def test_what_is_asked_for_stays_whatever_the_recipe(before: bool, tmp_path: Path) -> None:
    asked = ["recipe=fast", "sac.updates_per_step=7"]
    assert robot(*(asked if before else asked[::-1])).sac.updates_per_step == 7
    file = tmp_path / "mine.yaml"
    file.write_text("preset: minitaur\nrecipe: fast\nsac: {updates_per_step: 7}\n")
    found = load_preset(str(file))
    assert (found.sac.updates_per_step, found.sac.initial_alpha) == (7, 0.1)
    assert load_preset(str(file), ["recipe=paper"]).sac.initial_alpha == robot().sac.initial_alpha


def test_every_preset_has_a_fast_recipe_and_pixels_take_it_unasked() -> None:
    for preset in ("minitaur", "claw", "gym:Pendulum-v1"):
        assert load_preset(preset, ["recipe=fast"]).sac != load_preset(preset).sac
        assert load_preset(preset, ["recipe=fast"]).normalised
        assert not load_preset(preset).normalised
    pixels = load_preset("claw-pixels")
    assert load_preset("claw-pixels", ["recipe=fast"]) == pixels
    assert (pixels.sac.discount, pixels.sac.batch_size) == (0.97, 128)
    assert load_preset("claw-pixels", ["recipe=paper"]).sac != pixels.sac
    assert not load_preset("claw-pixels").normalised


def test_the_files_of_the_recipes_belong_to_presets() -> None:
    folder = resources.files("robosac") / "presets"
    for recipe in RECIPES:
        names = {file.name for file in (folder / recipe).iterdir()}
        assert names <= {f"{preset}.yaml" for preset in (*presets(), "gym")}


@pytest.mark.parametrize(
    "override", ["sac.batch_size=128", "--sac.batch-size=128", "sac.batch-size= 128"]
)
def test_override_spellings(override: str) -> None:
    assert robot(override).sac.batch_size == 128


def test_override_values_are_read_as_meant() -> None:
    config = robot(
        "sac.learning_rate=1e-3",
        "twin.randomisation=off",
        "sac.hidden_units=[64, 32]",
        "run_name=2024",
        "twin.noise.orientation_rad=0",
    )
    assert config.sac.learning_rate == 0.001
    assert config.twin.randomisation == "off"
    assert config.sac.hidden_units == (64, 32)
    assert config.run_name == "2024"
    assert config.twin.noise.orientation_rad == 0.0


def test_later_override_wins_and_null_restores() -> None:
    config = robot(
        "sac.target_entropy=-3", "sac.target_entropy=null", "run_name=x", "run_name=null"
    )
    assert config.sac.target_entropy is None
    assert config.run_name is None


def test_gym_preset_has_no_robot() -> None:
    config = load_preset("gym:Pendulum-v1", ["seed=7"])
    assert isinstance(config, GymConfig)
    assert config.environment == "Pendulum-v1"
    assert "unknown setting 'task'" in refusal("task.history=3", preset="gym:Pendulum-v1")


def test_unknown_preset_names_the_known() -> None:
    message = refusal(preset="minitar")
    assert "did you mean minitaur?" in message
    assert "gym:ENV_ID" in message


def test_unknown_key_names_the_known() -> None:
    message = refusal("sac.batchsize=3")
    assert "sac.batchsize" in message
    assert "did you mean batch_size?" in message
    assert "learning_rate" in message


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("sac.batch_size=x", r"sac\.batch_size: Expected `int`, got `str`"),
        ("sac.batch_size=0", r"sac\.batch_size: Expected `int` >= 1"),
        ("sac.batch_size=1.5", r"sac\.batch_size: Expected `int`"),
        ("sac.batch_size=true", r"sac\.batch_size: Expected `int`, got `bool`"),
        ("sac.discount=1", r"sac\.discount"),
        ("sac.discount=.nan", r"sac\.discount is nan"),
        ("sac.learning_rate=.inf", r"sac\.learning_rate is inf"),
        ("sac.hidden_units=[]", r"sac\.hidden_units"),
        ("sac.hidden_units=[64, 0]", r"sac\.hidden_units"),
        ("sac=3", r"sac is a section; its keys are learning_rate"),
        ("seed.low=3", r"seed is a setting"),
        ("seed", r"has no value"),
        ("steps=[1", r"steps: value '\[1'"),
        ("preset=gym:x", r"preset cannot be overridden"),
        ("recipe=slow", r"recipe: .*paper"),
        ("executor.hold_after_s=5", r"executor: .*must rise"),
        ("task.control_period_s=0.012", r"whole multiple of executor\.period_s"),
        ("sac.replay_capacity=10", r"replay_capacity 10 is below batch_size 256"),
        ("twin.supply_voltage_v=24", r"twin\.supply_voltage_v"),
    ],
)
def test_refusals_name_the_key(override: str, named: str) -> None:
    assert re.search(named, refusal(override))


def test_only_what_has_like_sides_is_shown_mirrored_or_turned() -> None:
    message = refusal("sac.vectors.symmetry=true", preset="claw-pixels")
    assert "sac.vectors.symmetry: claw-pixels has no like sides" in message


def test_frozen() -> None:
    with pytest.raises(AttributeError):
        robot().steps = 3  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("recipe", ["paper", "fast"])
@pytest.mark.parametrize("preset", [*presets(), "gym:HalfCheetah-v5"])
def test_dump_round_trips(preset: str, recipe: str) -> None:
    config = load_preset(preset, [f"recipe={recipe}"])
    assert parse(dump(config)) == config


@settings(max_examples=50)
@given(
    rate=st.floats(min_value=1e-12, max_value=1, exclude_min=True),
    seed=st.integers(0, 2**32 - 1),
    name=st.text(min_size=1, max_size=20),
    units=st.lists(st.integers(1, 4096), min_size=1, max_size=4),
    entropy=st.none() | st.floats(-100, 100),
)
def test_dump_round_trips_any_value(
    rate: float, seed: int, name: str, units: list[int], entropy: float | None
) -> None:
    sac = msgspec.structs.replace(
        BASE.sac, learning_rate=rate, hidden_units=tuple(units), target_entropy=entropy
    )
    config = msgspec.structs.replace(BASE, sac=sac, seed=seed, run_name=name)
    assert parse(dump(config)) == config


def test_dump_tells_every_meaning() -> None:
    for line in dump(robot()).splitlines():
        assert re.search(r"# \S", line), line


@given(st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False))
def test_scalars_round_trip_on_one_line(value: object) -> None:
    text = yaml_scalar(value)
    assert len(text.splitlines()) <= 1
    assert parse_yaml(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "a: &x 1\nb: *x",
        "a: 1\na: 2",
        "a: {b: 1, b: 2}",
        "a: !!python/object:os.system {}",
        "{",
        "a: !!bool x",
    ],
)
def test_yaml_refuses_aliases_repeats_and_objects(text: str) -> None:
    with pytest.raises(YamlError):
        parse_yaml(text)


def test_yaml_reads_plainly() -> None:
    read = parse_yaml("{a: off, b: 1e-3, c: 1:30, d: 010, e: yes, f: true, g: ~, h: 1_000}")
    expected = {"a": "off", "b": 1e-3, "c": "1:30", "d": 10, "e": "yes", "f": True, "g": None}
    assert read == {**expected, "h": 1000}


def test_file_changes_its_preset(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("preset: minitaur\nsac: {batch_size: 64}\n", encoding="utf-8")
    config = load_preset(str(file), ["seed=5"])
    assert (config.sac.batch_size, config.seed, config.steps) == (64, 5, 160_000)
    assert config.sac.random_steps == robot().sac.random_steps


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"sac: {batch_size: 64}", "no key 'preset'"),
        (b"preset: minitaur\nsac: 3", "sac is 3; valid is a mapping"),
        (b"preset: minitaur\nsac: {lr: 3}", "unknown setting 'sac.lr'"),
        (b"- 1", "not a mapping"),
        (b"preset: \xff", "not UTF-8"),
        (b"#" * 1_000_001, "at most 1000000"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, content: bytes, named: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_bytes(content)
    assert named in refusal(preset=str(file))


def test_missing_file_is_named() -> None:
    assert "nowhere.yaml cannot be read" in refusal(preset="nowhere.yaml")


def test_import_is_light() -> None:
    heavy = "('torch', 'mujoco', 'cv2', 'matplotlib', 'tensorboard', 'gymnasium')"
    code = f"import sys, robosac.config; sys.exit(any(m in sys.modules for m in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
