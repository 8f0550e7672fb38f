"""Serves a twin on pseudo-terminals, in a process of its own, and shows how it goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import typer
import yaml
from rich.console import Console
from rich.table import Table

from robosac.errors import ConfigError, RobotError
from robosac.rehearsal.files import camera_sections

if TYPE_CHECKING:
    from sim.measured_eye import MeasuredEye

ANY_BAUD = "any"
TWIN_PRIORITY = 60
"""Of SCHED_FIFO, where it is allowed; above any executor's, as motors answer before they wait."""


@dataclass(frozen=True)
class TwinRequest:
    """Which twin, and what shall go wrong with it."""

    preset: str
    link: Path | None
    """Folder for stable names of the ports."""
    seed: int
    faults: str
    """See `sim.fault_spec`."""
    floor: bool
    """On the floor rather than on a stand."""
    hung: bool
    """On a stand where each joint may move by itself; not with `floor`."""
    cameras: Path | None = None
    """Folder for the sockets of its cameras; None: none is served."""
    calibration: Path | None = None
    """Of the robot whose measured lens, place and delay the camera takes over."""


class Served(Protocol):
    """A running server."""

    ports: Mapping[str, Mapping[str, Any]]

    def next_event(self) -> Mapping[str, Any]:
        """The next thing it says; waits for it."""
        ...


def serve(request: TwinRequest, as_json: bool) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Raises:
        ConfigError: no such twin, a fault it cannot have, a folder or a calibration that cannot be
            used, or a robot both on the floor and hung up.
        RobotError: the serving process ended by itself.
    """
    from sim.served import ServeError, served

    if request.floor and request.hung:
        raise ConfigError("--floor and --hung exclude one another")
    _make_folder("--link", request.link)
    _make_folder("--cameras", request.cameras)
    eye = _eye(request)
    began = False
    try:
        with served(
            request.preset,
            seed=request.seed,
            faults=request.faults,
            link=request.link,
            cameras=request.cameras,
            eye=eye,
            floor=request.floor,
            hung=request.hung,
            status=True,
            priority=TWIN_PRIORITY,
        ) as twin:
            began = True
            if twin.refused is not None:
                typer.echo(twin.refused, err=True)
            _show(twin, request, as_json)
    except KeyboardInterrupt:
        # The usual end: the block above has given the ports back.
        return
    except ServeError as error:
        raise (RobotError if began else ConfigError)(str(error)) from error


def _eye(request: TwinRequest) -> MeasuredEye | None:
    """What its camera takes over of a calibration, if one is named."""
    if request.calibration is None:
        return None
    if request.cameras is None:
        raise ConfigError("--calibration is for the cameras, and none is served without --cameras")
    from robosac.actuator_twin import measured_eye
    from robosac.stage import load_calibration

    return measured_eye(load_calibration(request.calibration, request.preset), request.preset)


def _make_folder(flag: str, folder: Path | None) -> None:
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{flag} {folder} cannot be made: {error.strerror}") from error


def _show(twin: Served, request: TwinRequest, as_json: bool) -> None:
    """Print the paths, then how the serving goes."""
    if as_json:
        typer.echo(msgspec.json.encode({"twin": request.preset, "ports": twin.ports}).decode())
        for _ in _statuses(twin):
            pass
        return
    console = Console()
    console.print(port_table(request.preset, twin.ports))
    console.print(advice(twin.ports), highlight=False, markup=False, soft_wrap=True)
    with console.status("serving; Ctrl-C ends it") as line:
        for status in _statuses(twin):
            line.update(status_text(status))


def _statuses(twin: Served) -> Iterator[Mapping[str, Any]]:
    while True:
        event = twin.next_event()
        if event["event"] == "status":
            yield event


def port_table(preset: str, ports: Mapping[str, Mapping[str, Any]]) -> Table:
    """Every port, its path and the bit rate it wants."""
    table = Table(title=f"{preset} twin, in real time")
    for column in ("port", "path", "bit/s", "device"):
        table.add_column(column, overflow="fold")
    for name, port in ports.items():
        table.add_row(name, port["path"], str(port["baud"] or ANY_BAUD), port["what"])
    return table


def advice(ports: Mapping[str, Mapping[str, Any]]) -> str:
    """What to write into a robot file, and then to run."""
    cameras = camera_sections(ports)
    serial = {name: port for name, port in ports.items() if "sheet" not in port}
    lines = ["ports:", *(f"  {name}: {port['path']}" for name, port in serial.items())]
    if set(serial) == {"servos"}:
        # The hand has one port, and its file tells the bit rate with it.
        port = serial["servos"]
        lines = [f"port: {{path: {port['path']}, baud: {port['baud']}}}"]
    if cameras:
        lines.append(yaml.safe_dump(cameras, sort_keys=False, default_flow_style=None).rstrip())
    return "\n".join(
        (
            "In a robot file:",
            *lines,
            "then run any command with --robot.file FILE --robot.address serial",
        )
    )


def status_text(status: Mapping[str, Any]) -> str:
    """One line on how the serving goes."""
    text = (
        f"{status['time_s']:.0f} s, {status['real_time_factor']:.2f} of real time, "
        f"{status['requests_per_s']:.0f} requests/s"
    )
    if status["skipped_s"] > 0:
        text += f", {status['skipped_s']:.2f} s skipped: this computer is too slow"
    if status["active_faults"]:
        text += f", failing: {', '.join(status['active_faults'])}"
    return f"{text}; Ctrl-C ends it"
