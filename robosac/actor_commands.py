"""What `train --async`, `actor`, `learner` and `pause` do, once their arguments are known."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import typer

from robosac import checkpoint
from robosac.actor_link import LEARNER, OWN_ACTOR, OwnLearner, open_link
from robosac.async_training import PAUSED, AsyncTraining
from robosac.config import load_preset
from robosac.errors import ConfigError, RunFolderError
from robosac.learner_board import Board
from robosac.link.addresses import Address, parse_address
from robosac.link.guard import require_safe
from robosac.link.key_folder import KeyFolder, read_key_folder
from robosac.messages import LearnerMeans
from robosac.metrics import LearnerRow, MetricsWriter
from robosac.progress import Progress
from robosac.runs import RunFolder, run_path, utc_now
from robosac.settings import TrainConfig
from robosac.stored_link import StoredLink

USED: Final = "learner_process.used=true"


def train_with_own_learner(run: RunFolder, stage: Any, resumed: bool) -> None:
    """Actor here, learner in a process of its own."""
    own = OwnLearner(run, stage.env)
    _act(run, stage, own.link, OWN_ACTOR, own.close, resumed, run.config.learner_device)


def actor(
    preset: str | None,
    overrides: Sequence[str],
    folder: Path | None,
    resume: Path | None,
    learner: str,
    keys: Path | None,
    name: str | None,
    take_over: bool,
) -> None:
    """The robot's half: act, and send everything to a learner elsewhere."""
    from robosac.commands import make_stage_for

    address, own_keys = parse_address(learner), _keys(keys)
    # Everything that may be wrong before there is a run folder.
    require_safe(address, own_keys)
    known = None if own_keys is None else own_keys.peer.name
    if known is not None and name not in (None, known):
        raise ConfigError(f"the keys are for {known}; --name {name} does not fit them")
    actor_id = known or name or OWN_ACTOR
    if resume is not None:
        run = RunFolder.open(resume)
        stage = make_stage_for(run.config, take_over, run.path)
    else:
        assert preset is not None
        config = load_preset(preset, [*overrides, USED])
        path = _fresh(folder, config, "-actor")
        # The robot first: a wrong file or port must not leave a run folder behind.
        stage = make_stage_for(config, take_over, path)
        run = RunFolder.create(path, config)
    try:
        link = open_link(run, stage.env, actor_id, address, own_keys)
    except BaseException:
        stage.close()
        raise
    _act(run, stage, link, actor_id, link.close, resume is not None)


def learner(
    preset: str | None,
    overrides: Sequence[str],
    folder: Path | None,
    resume: Path | None,
    listen: str,
    keys: Path | None,
    warm_start: Path | None,
) -> None:
    """The workstation's half: learn from every robot that comes."""
    from robosac.commands import tell
    from robosac.learner_host import host
    from robosac.learners import Learner, check_device, check_threads, make_learner

    address, own_keys = parse_address(listen), _keys(keys)
    require_safe(address, own_keys)
    state = None if warm_start is None else _learner_state(warm_start)
    if resume is not None:
        run = RunFolder.open(resume)
    else:
        assert preset is not None
        config = load_preset(preset, [*overrides, USED])
        check_device(config.learner_device)
        check_threads(config)
        run = RunFolder.create(_fresh(folder, config, "-learner"), config)

    def make(config: TrainConfig, spaces: Any) -> Learner:
        made = make_learner(config, spaces, tell)
        if state is not None and checkpoint.latest(run.path) is None:
            try:
                made.load(state)
            except ValueError as error:
                raise RunFolderError(f"{warm_start} does not fit this run: {error}") from error
        return made

    newest = checkpoint.latest(run.path)
    title = f"{run.config.preset}, recipe {run.config.recipe}, learner"
    progress = Progress(run.config.steps, title, str(run.path))
    progress.update(learner_device=run.config.learner_device)
    with run.metrics_writer(checkpoint.step_of(newest)) as metrics, _stop_signal() as stop:
        told = Told(run.config, metrics, progress)
        try:
            host(run, address, own_keys, make, told, stop)
        finally:
            progress.stop()


def pause(folder: Path, off: bool) -> None:
    """Ask a run in two processes to rest before its next episode, or to go on."""
    run = RunFolder.open(folder)
    if off:
        (run.path / PAUSED).unlink(missing_ok=True)
        typer.echo(f"{run.path} goes on")
    else:
        (run.path / PAUSED).touch()
        typer.echo(f"{run.path} rests before its next episode; robosac pause {folder} --off")


class Told:
    """Tells people how a learner is; see `robosac.learner_host.Witness`.

    Args:
        config: the run's settings.
        metrics: where rows go.
        progress: what the user sees.
    """

    def __init__(self, config: TrainConfig, metrics: MetricsWriter, progress: Progress) -> None:
        self._config, self._metrics, self._progress = config, metrics, progress
        self._started = time.monotonic()
        self._note = ""

    def listening(self, address: Address) -> None:
        """Actors may come."""
        self._note = f"listening on {address}"
        self._progress.start(0)
        self._progress.update(note=self._note)

    def means(self, means: LearnerMeans) -> None:
        """What the newest updates saw."""
        row = {
            name: getattr(means, name)
            for name in LearnerRow.__struct_fields__
            if name in LearnerMeans.__struct_fields__
        }
        wall_s = time.monotonic() - self._started
        self._metrics.write(LearnerRow(**row, wall_s=wall_s, robot_s=0.0))
        self._progress.update(
            alpha=means.alpha,
            entropy=means.entropy,
            target_entropy=means.target_entropy,
            updates_per_s=means.updates_per_s,
            learner_core=means.core,
        )

    def look(self, board: Board, step: int) -> None:
        """How far it is, and who is here."""
        standing = board.standing()
        here = ", ".join(board.actors) or "nobody"
        self._progress.update(
            step=step,
            replay_bytes=standing.replay_bytes,
            note=f"{self._note}; here: {here}; {standing.owed:,.0f} updates owed",
            wait=board.trouble,
        )


def _act(
    run: RunFolder,
    stage: Any,
    link: StoredLink,
    actor_id: str,
    close: Callable[[], None],
    resumed: bool,
    learner_device: str = "",
) -> None:
    """Act to the end; then the robot is stopped first, and everything written."""
    config = run.config
    for warning in link.warnings:
        typer.echo(f"robosac: warning: {warning}", err=True)
    progress = Progress(config.steps, f"{config.preset}, recipe {config.recipe}", str(run.path))
    progress.update(learner_device=learner_device)
    try:
        step = link.actor_state.step if resumed else 0
        if resumed:
            run.truncate_after(step, evaluated_again=True)
        with run.metrics_writer(step if resumed else None) as metrics:
            training = AsyncTraining(run, stage, link, metrics, progress, actor_id)
            if resumed:
                training.resume()
            training.train()
    finally:
        progress.stop()
        try:
            stage.close()
        finally:
            close()


def _keys(folder: Path | None) -> KeyFolder | None:
    if folder is None:
        return None
    keys = read_key_folder(folder)
    if keys.warning:
        typer.echo(f"robosac: warning: {keys.warning}", err=True)
    return keys


def _fresh(folder: Path | None, config: TrainConfig, suffix: str) -> Path:
    """Where a new run goes. Raises RunFolderError: something is there."""
    path = folder or run_path(config, utc_now())
    if folder is None:
        path = path.with_name(path.name + suffix)
    if path.exists():
        raise RunFolderError(
            f"{path} exists; go on with --resume {path}, or name another with --run"
        )
    return path


def _learner_state(folder: Path) -> dict[str, Any]:
    """The learner in a run's newest checkpoint, or in that of its own learner."""
    run = RunFolder.open(folder)
    newest = checkpoint.latest(run.path) or checkpoint.latest(run.path / LEARNER)
    if newest is None:
        raise RunFolderError(f"{folder} has no checkpoint to begin from; train longer")
    tensors, _ = checkpoint.load(newest)
    prefix = "learner."
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


@contextmanager
def _stop_signal() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM as something to look at: the first ends orderly, the second at once."""
    told = threading.Event()

    def stop(*_: object) -> None:
        if told.is_set():
            raise KeyboardInterrupt
        told.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
