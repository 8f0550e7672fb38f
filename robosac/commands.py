"""What each command does, once its arguments are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from robosac import checkpoint
from robosac.config import dump, load_preset
from robosac.errors import ConfigError, RunFolderError
from robosac.metrics import summarise
from robosac.progress import Progress
from robosac.runs import FLIGHT, RunFolder, run_path, utc_now
from robosac.settings import RobotConfig, TrainConfig

LOG_COLUMNS = 160
"""Of a table that goes to no terminal."""
PICTURE_SIZE = (480, 270)
FRESH_EPISODES = 1_000_000
"""Number of the first episode here: none was seen when the best policy was chosen."""


def printed(preset: str, overrides: Sequence[str]) -> str:
    """The resolved settings as commented YAML."""
    return dump(load_preset(preset, overrides))


def train(
    preset: str, overrides: Sequence[str], folder: Path | None, take_over: bool = False
) -> None:
    """Train a new run."""
    config = load_preset(preset, overrides)
    if config.learner_device != "cpu" and not config.learner_process.used:
        # As below: what is not there must not leave a run folder behind.
        from robosac.learners import check_device

        check_device(config.learner_device)
    path = folder or run_path(config, utc_now())
    if path.exists():
        raise RunFolderError(
            f"{path} exists; go on with --resume {path}, or name another with --run"
        )
    # The robot first: a wrong file or port must not leave a run folder behind.
    stage = make_stage_for(config, take_over, path)
    try:
        run = RunFolder.create(path, _with_threads(config, stage.env))
    except BaseException:
        stage.close()
        raise
    _train(run, stage, resumed=False)


def _with_threads(config: TrainConfig, env: Any) -> TrainConfig:
    """The settings with a number of threads, measured where they ask for that."""
    if not config.measures_threads:
        return config
    from robosac.learner_threads import settled

    return settled(config, env, tell)


def resume(folder: Path, take_over: bool = False) -> None:
    """Go on with a run from its newest checkpoint."""
    run = RunFolder.open(folder)
    _train(run, make_stage_for(run.config, take_over, run.path), resumed=True)


def tell(line: str) -> None:
    """What one is to know, on standard error."""
    typer.echo(f"robosac: {line}", err=True)


def make_stage_for(config: TrainConfig, take_over: bool = False, folder: Path | None = None) -> Any:
    """The stage that is configured; what is not quite right with it is told on standard error.

    Recordings go into the run `folder`, unless another is configured.
    """
    from robosac.assembly import make_stage

    if isinstance(config, RobotConfig) and folder is not None and config.flight.folder is None:
        flight = msgspec.structs.replace(config.flight, folder=str(folder / FLIGHT))
        config = msgspec.structs.replace(config, flight=flight)
    stage = make_stage(config, take_over)
    for warning in stage.warnings:
        typer.echo(f"robosac: warning: {warning}", err=True)
    return stage


def _train(run: RunFolder, stage: Any, resumed: bool) -> None:
    if run.config.learner_process.used:
        from robosac.actor_commands import train_with_own_learner

        train_with_own_learner(run, stage, resumed)
        return
    from robosac.learners import make_learner
    from robosac.lockstep import LockstepTraining

    config = run.config
    step = 0
    if resumed:
        step = checkpoint.step_of(checkpoint.latest(run.path))
        run.truncate_after(step)
    progress = Progress(config.steps, f"{config.preset}, recipe {config.recipe}", str(run.path))
    progress.update(learner_device=config.learner_device)
    with run.metrics_writer(step if resumed else None) as metrics:
        try:
            learner = make_learner(config, stage.env, tell)
            training = LockstepTraining(run, stage, learner, metrics, progress)
            if resumed:
                training.resume()
            training.train()
        finally:
            progress.stop()
            stage.close()


@dataclass(frozen=True)
class _Judged:
    """A policy of a run, and where in the run it stood."""

    policy: Any
    step: int
    wall_s: float
    robot_s: float


def _newest(run: RunFolder, stage: Any) -> _Judged:
    """The policy of the newest checkpoint, or the newest that came from a learner elsewhere."""
    if run.config.learner_process.used:
        return _newest_that_came(run, stage)
    newest = checkpoint.latest(run.path)
    if newest is None:
        raise RunFolderError(f"{run.path} has no checkpoint yet; train longer, or resume it")
    from robosac.learners import policy_of

    tensors, document = checkpoint.load(newest)
    prefix = "learner."
    state = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    policy = policy_of(run.config, stage.env, state)
    return _Judged(policy, document["step"], document["wall_s"], document["robot_s"])


def _newest_that_came(run: RunFolder, stage: Any) -> _Judged:
    from robosac.actor_link import POLICIES
    from robosac.policy_shelf import PolicyShelf
    from robosac.schema import schema_of

    newest = PolicyShelf(run.path / POLICIES, schema_of(run.config, stage.env)).newest()
    if newest is None:
        raise RunFolderError(f"{run.path} has no policy yet; train longer, or resume it")
    last = next(iter(reversed(run.rows())), None)
    if last is None:
        return _Judged(newest.policy, 0, 0.0, 0.0)
    return _Judged(newest.policy, last.step, last.wall_s, last.robot_s)


def _best(run: RunFolder) -> _Judged:
    """The policy that did best when it was evaluated during training."""
    from robosac.policies import best_evaluation, load_policy

    row = best_evaluation(run)
    return _Judged(load_policy(run.evaluation_folder(row.step)), row.step, row.wall_s, row.robot_s)


def evaluate(folder: Path, episodes: int, best: bool, with_video: bool, as_json: bool) -> None:
    """Evaluate a policy of a run, and keep the result in the run folder."""
    from robosac.evaluation import evaluate as run_episodes
    from robosac.evaluation_table import evaluation_table

    run = RunFolder.open(folder)
    stage = make_stage_for(run.config, folder=run.path)
    picture = PICTURE_SIZE if with_video and stage.render is not None else None
    console = Console(stderr=as_json)
    try:
        judged = _best(run) if best else _newest(run, stage)
        with console.status(f"evaluating {episodes} episodes"):
            found = run_episodes(
                stage, judged.policy, episodes, run.config.seed, FRESH_EPISODES, picture
            )
    finally:
        stage.close()
    found.keep(run, judged.step)
    row = summarise(found.episodes, step=judged.step, wall_s=judged.wall_s, robot_s=judged.robot_s)
    with run.metrics_writer() as metrics:
        metrics.write(row)
    if as_json:
        typer.echo(msgspec.json.encode(row).decode())
    else:
        console.print(evaluation_table(row, str(folder)))


def demonstrate(
    preset: str, overrides: Sequence[str], path: Path, episodes: int, teacher: Path | None
) -> None:
    """Make a set of demonstrations in a twin or on the real hand."""
    from robosac.demonstrate import Attempt, Gait, Teacher
    from robosac.demonstrate import demonstrate as show
    from robosac.demonstrations import Source
    from robosac.demonstrations_file import write
    from robosac.experience import interface_of
    from robosac.tasks.turn import ClawTurn

    if path.exists():
        raise ConfigError(f"{path} exists; a set is never overwritten: name another with --out")
    config = load_preset(preset, overrides)
    judged = None if teacher is None else _best(RunFolder.open(teacher)).policy
    stage = make_stage_for(config)
    env = stage.env

    def told(attempt: Attempt) -> None:
        typer.echo(
            f"attempt {attempt.number + 1}: {'success' if attempt.success else 'failed'}, final"
            f" error {attempt.error_rad:+.2f} rad; kept {attempt.kept} of {episodes}",
            err=True,
        )

    try:
        if not isinstance(env, ClawTurn):
            raise ConfigError(f"preset {preset} has nobody to show it; valid are claw, claw-pixels")
        interface = interface_of(config, env)
        source = Source.GAIT if judged is None else Source.POLICY
        make = Gait if judged is None else lambda: Teacher(judged)
        shown = show(env, interface, source, make, episodes, config.seed, told)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    finally:
        stage.close()
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, shown)
    typer.echo(f"{path}: {shown.episodes} episodes, {shown.steps} steps")


def check_demonstrations(preset: str, overrides: Sequence[str], path: Path, as_json: bool) -> bool:
    """Whether a set of demonstrations is fit for a preset; every problem is told."""
    from robosac.demonstrations_check import validate
    from robosac.demonstrations_file import read
    from robosac.experience import interface_of

    config = load_preset(preset, overrides)
    shown = read(path)
    env = make_stage_for(config).env
    try:
        problems = [str(p) for p in validate(shown, interface_of(config, env)).problems]
    finally:
        env.close()
    if as_json:
        document = {"episodes": shown.episodes, "steps": shown.steps, "problems": problems}
        typer.echo(msgspec.json.encode(document).decode())
    else:
        for problem in problems:
            typer.echo(problem)
        verdict = f"{len(problems)} problems" if problems else "no problems"
        typer.echo(f"{path}: {shown.episodes} episodes, {shown.steps} steps, {verdict}")
    return not problems


def report(folder: Path, as_json: bool) -> None:
    """Write the report of a run."""
    from robosac.report import write_report

    page = write_report(RunFolder.open(folder))
    typer.echo(msgspec.json.encode({"report": str(page)}).decode() if as_json else str(page))


def bench(seconds: float, threads: int, as_json: bool) -> None:
    """Measure this computer."""
    from robosac.bench import measure

    figures = measure(seconds, threads)
    if as_json:
        typer.echo(msgspec.json.encode({f.name: f.values for f in figures}).decode())
        return
    table = Table(title="this computer")
    for column in ("what", "figure", "unit"):
        table.add_column(column, justify="right" if column == "figure" else "left")
    for figure in figures:
        for name, value in figure.values.items():
            table.add_row(f"{figure.title}, {name}", f"{value:,.1f}", figure.unit)
    Console().print(table)


def bench_peers(
    threads: int, rounds: int | None, figures: Path | None, picture: Path | None, as_json: bool
) -> None:
    """Measure robosac beside the other projects that are installed here."""
    from robosac.peers.comparison import Plan, compare
    from robosac.peers.showing import remarks, tables

    for path in (figures, picture):
        if path is not None and not path.absolute().parent.is_dir():
            raise ConfigError(f"{path} cannot be written: there is no folder {path.parent}")
    plan = Plan(threads=threads) if rounds is None else Plan(threads=threads, rounds=rounds)
    report = compare(plan, lambda line: typer.echo(line, err=True))
    document = msgspec.json.format(msgspec.json.encode(report), indent=1)
    if figures is not None:
        figures.write_bytes(document + b"\n")
    if picture is not None:
        from robosac.peers.chart import picture as drawn

        picture.write_bytes(drawn(report))
    for remark in remarks(report):
        typer.echo(remark, err=True)
    if as_json:
        typer.echo(document.decode())
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=LOG_COLUMNS)
    for table in tables(report):
        console.print(table)


def twin(
    preset: str,
    link: Path | None,
    seed: int,
    faults: str,
    floor: bool,
    hung: bool,
    cameras: Path | None,
    calibration: Path | None,
    as_json: bool,
) -> None:
    """Serve a twin until interrupted."""
    from robosac.twin_server import TwinRequest, serve

    request = TwinRequest(preset, link, seed, faults, floor, hung, cameras, calibration)
    serve(request, as_json)


def replay(path: Path, as_json: bool) -> bool:
    """Decide a flight recording again; whether today's limiter and monitor agree with it."""
    from robosac.errors import FlightFileError
    from robosac.flight.reading import load
    from robosac.flight.replay import Replay
    from robosac.flight.replay_table import document, lines

    log = load(path)
    try:
        replayed = Replay(log.header).run(log)
    except ValueError as error:
        raise FlightFileError(f"{path}: {error}") from error
    if as_json:
        typer.echo(msgspec.json.encode(document(log, replayed)).decode())
    else:
        for line in lines(path, log, replayed):
            typer.echo(line)
    return not replayed.differences


def dry_run(
    preset: str,
    seconds: float,
    faults: str,
    seed: int,
    out: Path | None,
    again: Path | None = None,
    *,
    as_json: bool,
) -> bool:
    """Rehearse on the twin; whether every check held."""
    from robosac.dry_run import Request, rehearse
    from robosac.rehearsal.report import console_table, not_held, remarks, write

    if again is not None:
        faults = not_held(again, preset)
    console = Console(stderr=as_json)
    if not console.is_terminal:
        # Nobody reads a log in columns of eight letters.
        console = Console(stderr=as_json, width=LOG_COLUMNS)
    with console.status("starting the twin") as line:

        def told(text: str, left_s: float) -> None:
            line.update(f"{text}; about {left_s:.0f} s left")
            if not console.is_terminal:
                console.print(f"{text}; about {left_s:.0f} s left", highlight=False)

        folder, found = rehearse(Request(preset, seconds, faults, seed, out), told)
    document, page = write(folder, found)
    if as_json:
        typer.echo(document.read_text(encoding="utf-8"))
    else:
        console.print(console_table(found))
        for remark in remarks(found):
            console.print(remark, highlight=False)
        console.print(f"{document}\n{page}", highlight=False, soft_wrap=True)
    if found.interrupted:
        raise KeyboardInterrupt
    return found.held
