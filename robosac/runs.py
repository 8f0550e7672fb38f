"""The run folder: everything one training run leaves behind, nothing of it half-written."""

from __future__ import annotations

import datetime
import platform
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec

from robosac import __version__, metrics
from robosac import config as configuration
from robosac.errors import ConfigError, RunFolderError
from robosac.files import sync_folder, write_whole
from robosac.lag import LagHistogram
from robosac.settings import TrainConfig

FORMAT = 1
PACKAGES = ("torch", "numpy", "mujoco", "gymnasium", "msgspec", "safetensors")


POLICY_LAG: Final = "policy_lag.json"
FLIGHT: Final = "flight"
"""Folder of the flight recordings in a run folder, made with the first one."""


class _Header(msgspec.Struct, frozen=True, kw_only=True):
    """run.json: makes a folder a run, and says which version of the layout it has."""

    format: int
    created: datetime.datetime


def utc_now() -> datetime.datetime:
    """The date, as a label."""
    return datetime.datetime.now(datetime.UTC)


def run_path(config: TrainConfig, now: datetime.datetime) -> Path:
    """Where a run goes: `run_root/run_name`, or `run_root/<preset>-<time>` without a name."""
    preset = re.sub(r"[^A-Za-z0-9_.-]+", "-", config.preset)
    return Path(config.run_root) / (config.run_name or f"{preset}-{now:%Y%m%d-%H%M%S}")


def versions() -> dict[str, str | None]:
    """Versions of Python, the platform and the packages a result depends on; None: absent."""
    found: dict[str, str | None] = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "robosac": __version__,
    }
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found


@dataclass(frozen=True, slots=True)
class RunFolder:
    """An existing run folder; make one with `create`, find one with `open`."""

    path: Path
    config: TrainConfig
    created: datetime.datetime

    @classmethod
    def create(
        cls, path: Path, config: TrainConfig, now: datetime.datetime | None = None
    ) -> RunFolder:
        """Make the folder with run.json, config.yaml and versions.json, all at once.

        Raises:
            RunFolderError: something is there already.
            OSError: the disk refuses.
        """
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            raise RunFolderError(
                f"{path} exists; a new run needs a folder of its own, or resume that one"
            )
        header = _Header(format=FORMAT, created=now or utc_now())
        aside = path.with_name(f".{path.name}.part")
        shutil.rmtree(aside, ignore_errors=True)
        for folder in ("checkpoints", "evaluation", "tensorboard"):
            (aside / folder).mkdir(parents=True)
        write_whole(aside / "config.yaml", configuration.dump(config).encode())
        write_whole(aside / "versions.json", _pretty(versions()))
        write_whole(aside / "run.json", _pretty(header))
        aside.replace(path)
        sync_folder(path.parent)
        return cls(path, config, header.created)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Find a run.

        Raises:
            RunFolderError: the folder is not a run, or not one this version reads.
        """
        try:
            header = msgspec.json.decode((path / "run.json").read_bytes(), type=_Header)
            text = (path / "config.yaml").read_text(encoding="utf-8")
            config = configuration.parse(text, str(path / "config.yaml"))
        except OSError as error:
            raise RunFolderError(
                f"{path} is not a run folder ({error.strerror}: {error.filename});"
                " valid is a folder that `robosac train` made, e.g. runs/minitaur-20260101-120000"
            ) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RunFolderError(f"{path} is not a run folder: run.json: {error}") from error
        except ConfigError as error:
            raise RunFolderError(f"{path} cannot be read by this version: {error}") from error
        if header.format != FORMAT:
            raise RunFolderError(
                f"{path} has format {header.format}; this version of robosac reads {FORMAT}"
            )
        return cls(path, config, header.created)

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def metrics_path(self) -> Path:
        """The file of `rows`."""
        return self.path / "metrics.jsonl"

    def metrics_writer(self, resumed_at: int | None = None) -> metrics.MetricsWriter:
        """Open the metrics for appending; `resumed_at` is the step a resumed run starts from."""
        return metrics.MetricsWriter(
            self.metrics_path,
            self.path / "tensorboard",
            epoch_s=self.created.timestamp(),
            resumed_at=resumed_at,
        )

    def rows(self) -> list[metrics.AnyRow]:
        """Every metrics row so far. Raises RunFolderError for a damaged file."""
        return metrics.read_rows(self.metrics_path)

    def truncate_after(self, step: int, *, evaluated_again: bool = False) -> int:
        """Forget metrics later than a step; return how many rows were cut.

        Args:
            step: from where the run goes on.
            evaluated_again: what is due at that step is done once more, so forget that too.
        """
        return metrics.truncate_after(self.metrics_path, step, evaluated_again=evaluated_again)

    def versions(self) -> dict[str, str | None]:
        """What versions.json recorded. Raises RunFolderError."""
        file = self.path / "versions.json"
        try:
            return msgspec.json.decode(file.read_bytes(), type=dict[str, str | None])
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RunFolderError(f"{file} cannot be read: {error}") from error

    def evaluation_folder(self, step: int) -> Path:
        """Folder of the evaluation at `step`, made if need be: episodes.json, trace.npz, video."""
        folder = self.path / "evaluation" / str(step)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def evaluation_steps(self) -> list[int]:
        """Steps that have an evaluation folder, rising."""
        folder = self.path / "evaluation"
        names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
        return sorted(int(name) for name in names if name.isdecimal())

    def save_policy_lag(self, lag: LagHistogram) -> None:
        """Write how old the acting policies were; see `policy_lag`. Raises OSError."""
        write_whole(self.path / POLICY_LAG, _pretty(lag.to_dict()))

    def policy_lag(self) -> LagHistogram:
        """How old the acting policies were; empty where the learner is not a process of its own.

        Raises:
            RunFolderError: the file is damaged.
        """
        file = self.path / POLICY_LAG
        if not file.exists():
            return LagHistogram()
        try:
            return LagHistogram.from_dict(msgspec.json.decode(file.read_bytes()))
        except (OSError, ValueError) as error:
            raise RunFolderError(f"{file} cannot be read: {error}") from error

    def save_episodes(self, step: int, episodes: Sequence[metrics.EpisodeResult]) -> Path:
        """Write evaluation/<step>/episodes.json and return its path."""
        file = self.evaluation_folder(step) / "episodes.json"
        write_whole(file, _pretty(list(episodes)))
        return file

    def episodes(self, step: int) -> list[metrics.EpisodeResult]:
        """The episodes of the evaluation at `step`. Raises RunFolderError."""
        file = self.path / "evaluation" / str(step) / "episodes.json"
        try:
            return msgspec.json.decode(file.read_bytes(), type=list[metrics.EpisodeResult])
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RunFolderError(f"{file} cannot be read: {error}") from error


def _pretty(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
