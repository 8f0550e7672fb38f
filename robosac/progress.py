"""How training goes, live: a panel on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypedDict, Unpack

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

PANEL_PERIOD_S = 0.25
LINE_PERIOD_S = 5.0
RATE_WINDOW_S = 20.0
DASH = "–"


Cells = list[tuple[str, str]]
"""Names and values, in the order they are read in."""


class Fields(TypedDict, total=False):
    """What `Progress.update` takes; any subset, None for unknown."""

    step: int
    robot_s: float
    episode_return: float | None
    speed_m_s: float | None
    falls: int | None
    angle_error_rad: float | None
    angle_error_median_rad: float | None
    success: bool | None
    operator_calls: int | None
    get_ups: int | None
    replay_bytes: int | None
    alpha: float | None
    entropy: float | None
    target_entropy: float | None
    updates_per_s: float | None
    learner_device: str
    learner_core: str
    evaluation: str
    note: str
    wait: str


@dataclass(frozen=True, slots=True)
class Status:
    """The newest value of everything shown."""

    step: int = 0
    robot_s: float = 0.0
    episode_return: float | None = None
    speed_m_s: float | None = None
    falls: int | None = None
    angle_error_rad: float | None = None
    """|angle error| at the end of the last episode."""
    angle_error_median_rad: float | None = None
    """Median |angle error| over the last episode."""
    success: bool | None = None
    operator_calls: int | None = None
    """Times a person was called for."""
    get_ups: int | None = None
    """Times the robot got up by itself."""
    replay_bytes: int | None = None
    """Memory that the replay holds."""
    alpha: float | None = None
    entropy: float | None = None
    target_entropy: float | None = None
    updates_per_s: float | None = None
    learner_device: str = ""
    """Where updates are made, e.g. `cpu`."""
    learner_core: str = ""
    """What makes them, e.g. `native`."""
    evaluation: str = ""
    """The last evaluation, in words."""
    note: str = ""
    """What is going on besides, e.g. `random actions` or `evaluating`."""
    wait: str = ""
    """What the run cannot go on without, e.g. `operator: free the valve`."""


class Progress:
    """Shows a run's progress on stdout; cheap enough to update at every step.

    Starts no thread: it draws inside `update`, at most every `PANEL_PERIOD_S`.

    Args:
        total_steps: environment steps of the whole run.
        title: preset and recipe.
        run: the run folder, shown at the foot.
        console: where to draw; stdout by default.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        total_steps: int,
        title: str,
        run: str = "",
        *,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total_steps = total_steps
        self.title = title
        self.run = run
        self.status = Status()
        self._console = console or Console()
        self._clock = clock
        self._returns: deque[float] = deque(maxlen=10)
        self._successes: deque[bool] = deque(maxlen=10)
        self._marks: deque[tuple[float, int]] = deque()
        self._live: Live | None = None
        self._drawn = clock()

    def start(self, step: int = 0) -> None:
        """Begin to draw; `step` is where a resumed run starts."""
        self.status = replace(self.status, step=step)
        self._drawn = self._clock()
        self._mark()
        if self._console.is_terminal:
            self._live = Live(self.panel(), console=self._console, auto_refresh=False)
            self._live.start(refresh=True)
        else:
            foot = f", run {self.run}" if self.run else ""
            self._say(f"{self.title}: {self.total_steps:,} steps{foot}")

    def update(self, **fields: Unpack[Fields]) -> None:
        """Take new values, and draw them if it is time.

        `episode_return` and `success` count once a call. A new `wait` is drawn at once, for
        nothing else may happen for long.
        """
        waits = self.status.wait
        self.status = replace(self.status, **fields)
        latest, success = fields.get("episode_return"), fields.get("success")
        if latest is not None:
            self._returns.append(latest)
        if success is not None:
            self._successes.append(success)
        period = PANEL_PERIOD_S if self._console.is_terminal else LINE_PERIOD_S
        now = self._clock()
        if now - self._drawn >= period or self.status.wait not in (waits, ""):
            self._drawn = now
            self._draw()

    def stop(self) -> None:
        """Draw the last state and leave the terminal as it was; safe to call twice."""
        if self._live is not None:
            self._draw()
            self._live.stop()
            self._live = None
        elif not self._console.is_terminal and self._marks:
            self._draw()
        self._marks.clear()

    def __enter__(self) -> Progress:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def steps_per_s(self) -> float | None:
        """Environment steps per second over the last `RATE_WINDOW_S`."""
        if len(self._marks) < 2:
            return None
        (first_time, first_step), (last_time, last_step) = self._marks[0], self._marks[-1]
        elapsed = last_time - first_time
        return (last_step - first_step) / elapsed if elapsed > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """Wall time left at the present rate, s."""
        rate = self.steps_per_s
        # A run goes on to the end of the episode that reaches its last step.
        return max(self.total_steps - self.status.step, 0) / rate if rate else None

    @property
    def share(self) -> float:
        """Part of the run that is done, 0 to 1."""
        return min(self.status.step / self.total_steps, 1.0)

    @property
    def mean_return(self) -> float | None:
        """Mean return of the last ten episodes."""
        return sum(self._returns) / len(self._returns) if self._returns else None

    @property
    def success_share(self) -> float | None:
        """Share of the last ten episodes that ended with the goal held."""
        return sum(self._successes) / len(self._successes) if self._successes else None

    def line(self) -> str:
        """The present state as one plain line."""
        now, share = self.status, self.share
        parts = [
            f"step {now.step:,}/{self.total_steps:,} ({share:.0%})",
            f"left {_duration(self.seconds_left)}",
            now.robot_s and f"robot {now.robot_s / 60:.1f} min",
            _known("return {:.1f} (mean {:.1f})", now.episode_return, self.mean_return),
            *(f"{name} {text}" for name, text in self._walk() + self._turn_line() + self._rest()),
            _known("alpha {:.4g}", now.alpha),
            _known("entropy {:.1f}/{:.1f}", now.entropy, now.target_entropy),
            _known("{:.0f} updates/s{}", now.updates_per_s, self._where()),
            _known("{:.0f} steps/s", self.steps_per_s),
            now.evaluation,
            now.note,
            now.wait and f"waiting: {now.wait}",
        ]
        return " | ".join(filter(None, parts))

    def panel(self) -> Panel:
        """The present state as a rich panel."""
        now, share = self.status, self.share
        head = Table.grid(padding=(0, 1), expand=True)
        head.add_column(ratio=1)
        head.add_column(justify="right")
        head.add_row(
            ProgressBar(total=self.total_steps, completed=min(now.step, self.total_steps)),
            f"{now.step:,} / {self.total_steps:,} steps  {share:.0%}",
        )
        table = Table.grid(padding=(0, 2), expand=True)
        for _ in range(3):
            table.add_column(style="dim", no_wrap=True)
            table.add_column(no_wrap=True, ratio=1)
        cells = self._cells()
        for index in range(0, len(cells), 3):
            table.add_row(*(text for pair in cells[index : index + 3] for text in pair))
        foot = [Text.assemble(("evaluation  ", "dim"), now.evaluation or "none yet")]
        if now.note:
            foot.append(Text.assemble(("now  ", "dim"), now.note))
        if now.wait:
            foot.append(Text.assemble(("waiting  ", "dim"), (now.wait, "bold")))
        if self.run:
            foot.append(Text.assemble(("run  ", "dim"), self.run))
        title = Text(f" {self.title} ", style="bold")
        return Panel(Group(head, Text(), table, Text(), *foot), title=title, padding=(1, 2))

    def _cells(self) -> Cells:
        now = self.status
        return [
            ("return", _number(now.episode_return)),
            ("mean of 10", _number(self.mean_return)),
            *self._walk(),
            *self._turn(),
            *self._rest(),
            ("robot time", f"{now.robot_s / 60:.1f} min"),
            ("time left", _duration(self.seconds_left)),
            ("alpha", _number(now.alpha, ".4g")),
            ("entropy", f"{_number(now.entropy)} / {_number(now.target_entropy)}"),
            ("rates", f"{_number(self.steps_per_s, '.0f')} steps/s"),
            ("updates", _number(now.updates_per_s, ".0f", " /s" + self._where())),
        ]

    def _where(self) -> str:
        now = self.status
        device = f" on {now.learner_device}" if now.learner_device else ""
        return device + (f", {now.learner_core}" if now.learner_core else "")

    def _walk(self) -> Cells:
        return _cells(
            speed=_known("{:.2f} m/s", self.status.speed_m_s),
            falls=_known("{}", self.status.falls),
        )

    def _turn(self) -> Cells:
        now = self.status
        return _cells(
            error=_known("{:.2f} rad", now.angle_error_rad),
            median=_known("{:.2f} rad", now.angle_error_median_rad),
            success=_known("{:.0%}", self.success_share),
        )

    def _turn_line(self) -> Cells:
        """The same in fewer words."""
        cells = dict(self._turn())
        median = cells.pop("median", "")
        if median:
            cells = {"error": f"{cells.pop('error', DASH)} (median {median})", **cells}
        return list(cells.items())

    def _rest(self) -> Cells:
        now = self.status
        return _cells(
            calls=_known("{} for help", now.operator_calls),
            rises=_known("{} by itself", now.get_ups),
            replay="" if now.replay_bytes is None else _size(now.replay_bytes),
        )

    def _draw(self) -> None:
        self._mark()
        if self._live is not None:
            self._live.update(self.panel(), refresh=True)
        elif not self._console.is_terminal:
            self._say(self.line())

    def _mark(self) -> None:
        """Remember where we are, for the rate; forget what is older than the window."""
        now = self._clock()
        self._marks.append((now, self.status.step))
        while len(self._marks) > 2 and now - self._marks[0][0] > RATE_WINDOW_S:
            self._marks.popleft()

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def _number(value: float | None, form: str = ".1f", unit: str = "") -> str:
    return DASH if value is None else f"{value:{form}}{unit}"


def _cells(**texts: str) -> Cells:
    """What this task and this robot have; the rest is left out."""
    return [(name, text) for name, text in texts.items() if text]


def _known(form: str, *values: float | str | None) -> str:
    """The values in words; nothing where one is unknown."""
    return "" if None in values else form.format(*values)


def _size(count: int) -> str:
    """Bytes in powers of ten."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return DASH
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
