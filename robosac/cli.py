"""The command line. Heavy packages are imported inside the commands, so that help is instant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from robosac import __version__
from robosac.cli_calibrate import calibrate_app
from robosac.cli_check import check
from robosac.cli_guard import (
    FAILED,
    OK,
    OVERRIDES,
    PRESETS,
    JsonFlag,
    RunArgument,
    TakeOver,
    guarded,
    overrides_of,
    usage,
)
from robosac.cli_keys import keys_app
from robosac.cli_machines import actor, learner, pause
from robosac.cli_store import store_app

app = typer.Typer(
    help="Learn on the robot, or rehearse on its twin.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(store_app, name="store")
app.add_typer(keys_app, name="keys")
app.add_typer(calibrate_app, name="calibrate")


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    """Learn on the robot, or rehearse on its twin."""
    if show:
        typer.echo(__version__)
        raise typer.Exit(OK)


@app.command(context_settings=OVERRIDES)
def train(
    context: typer.Context,
    preset: Annotated[
        str | None,
        typer.Argument(help=f"{PRESETS}."),
    ] = None,
    run: Annotated[Path | None, typer.Option(help="Folder of the new run.")] = None,
    steps: Annotated[int | None, typer.Option(help="Environment steps.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with this run from its last checkpoint.")
    ] = None,
    asynchronous: Annotated[
        bool,
        typer.Option(
            "--async",
            help="The learner in a process of its own: the robot never waits for it in an episode.",
        ),
    ] = False,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print every setting with its unit and leave.")
    ] = False,
    take_over: TakeOver = False,
) -> None:
    """Train: actor and learner on this machine, in lock-step (Algorithm 1 of the paper).

    With `--async` in two processes, which go on without each other; a resumed run then goes on from
    its checkpoint, but not to the bit. Any setting is a flag, by its dotted name.

    Example: `robosac train minitaur --steps 40000 --task.reward.pitch 2 --twin.supply-voltage-v 14`

    Example: `robosac train --resume runs/minitaur-20260101-120000`
    """
    from robosac import commands

    overrides = list(overrides_of(context.args))
    for key, value in (("steps", steps), ("seed", seed)):
        if value is not None:
            overrides.append(f"{key}={value}")
    if asynchronous:
        overrides.append("learner_process.used=true")
    if resume is not None:
        if preset is not None or overrides or run is not None:
            usage("--resume RUN goes on as the run was configured; give no preset and no settings")
        guarded(lambda: commands.resume(resume, take_over))
        return
    if preset is None:
        usage(f"train needs a preset: {PRESETS} (or --resume RUN)")
    if print_config:
        guarded(lambda: typer.echo(commands.printed(preset, overrides), nl=False))
        return
    guarded(lambda: commands.train(preset, overrides, run, take_over))


app.command(context_settings=OVERRIDES)(check)
app.command(context_settings=OVERRIDES)(actor)
app.command(context_settings=OVERRIDES)(learner)
app.command()(pause)


@app.command()
def evaluate(
    run: RunArgument,
    episodes: Annotated[int, typer.Option(min=1, help="Episodes.")] = 10,
    best: Annotated[
        bool, typer.Option("--best", help="The policy that did best in training's evaluations.")
    ] = False,
    video: Annotated[bool, typer.Option(help="Record the first episode.")] = True,
    json: JsonFlag = False,
) -> None:
    """Run the newest policy by its mean, in episodes it has not seen: a table and a video.

    Example: `robosac evaluate runs/demo --best --episodes 10`
    """
    from robosac import commands

    guarded(lambda: commands.evaluate(run, episodes, best, video, json))


@app.command(context_settings=OVERRIDES)
def demonstrate(
    context: typer.Context,
    preset: Annotated[str, typer.Argument(help="`claw` or `claw-pixels`.")],
    out: Annotated[Path | None, typer.Option(help="File of the new set.")] = None,
    episodes: Annotated[int, typer.Option(min=1, help="Successful episodes to keep.")] = 20,
    teacher: Annotated[
        Path | None,
        typer.Option(help="A run of `claw`, whose best policy shows; else a scripted gait does."),
    ] = None,
    check: Annotated[
        Path | None, typer.Option(help="Only tell what is wrong with this set, for the preset.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Make demonstrations of turning the valve, or check a set of them; no gamepad is needed.

    Train from them with `--demonstrations.path FILE`.

    Example: `robosac demonstrate claw-pixels --out demos/gait.safetensors --episodes 20`

    Example: `robosac demonstrate claw-pixels --check demos/gait.safetensors`
    """
    from robosac import commands

    overrides = list(overrides_of(context.args))
    if check is not None:
        found: list[bool] = []
        guarded(lambda: found.append(commands.check_demonstrations(preset, overrides, check, json)))
        raise typer.Exit(OK if found == [True] else FAILED)
    if out is None:
        usage("demonstrate needs a file to write: --out FILE (or one to look at: --check FILE)")
    guarded(lambda: commands.demonstrate(preset, overrides, out, episodes, teacher))


@app.command()
def report(run: RunArgument, json: JsonFlag = False) -> None:
    """Write one HTML page with plots and the video into the run folder.

    Example: `robosac report runs/demo`
    """
    from robosac import commands

    guarded(lambda: commands.report(run, json))


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="A flight recording, such as RUN/flight/*.mcap.")],
    json: JsonFlag = False,
) -> None:
    """Decide a flight recording again with today's limiter and monitor; print what differs.

    Exits with 0 where nothing differs, with 1 where something does or the file cannot be read.

    Example: `robosac replay runs/demo/flight/20260101-120000-000000-estop.mcap`
    """
    from robosac import commands

    agreed: list[bool] = []
    guarded(lambda: agreed.append(commands.replay(file, json)))
    raise typer.Exit(OK if agreed == [True] else FAILED)


@app.command()
def bench(
    seconds: Annotated[float, typer.Option(min=0.1, help="Time for each measurement, s.")] = 3.0,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the learner.")] = 1,
    peers: Annotated[
        bool, typer.Option("--peers", help="Compare updates and replay with other projects'.")
    ] = False,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="With --peers: turns each one takes; 9.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option(help="With --peers: write the figures here as JSON.")
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="With --peers: draw them here, PNG.")] = None,
    json: JsonFlag = False,
) -> None:
    """Measure this computer: twin steps, updates, inference latency, the limiter's cost.

    With --peers instead: updates a second, memory and the cost of drawing from replay, beside
    stable-baselines3, SBX, TorchRL and plain PyTorch, all taking turns on the same cores. Whoever
    is not installed is named and left out. All of them, in an environment of its own: `make peers`
    in a checkout; elsewhere `python -m pip install stable-baselines3 sbx-rl torchrl` beside
    robosac, or the same with versions, as the command itself prints it.

    Example: `robosac bench --threads 2`

    Example: `robosac bench --peers --figures peers.json --picture peers.png`
    """
    from robosac import commands

    if not peers and (rounds or figures or picture):
        usage("--rounds, --figures and --picture are for --peers; give that too")
    if peers:
        guarded(lambda: commands.bench_peers(threads, rounds, figures, picture, json))
    else:
        guarded(lambda: commands.bench(seconds, threads, json))


@app.command("dry-run")
def dry_run(
    preset: Annotated[str, typer.Argument(help="`minitaur`, `claw` or `claw-pixels`.")],
    seconds: Annotated[
        float, typer.Option(min=2.0, help="It learns for at least so long, faults included, s.")
    ] = 60.0,
    faults: Annotated[
        str, typer.Option(help="What goes wrong: all, none, or names with commas between them.")
    ] = "all",
    again: Annotated[
        Path | None,
        typer.Option(
            help="Only what did not hold in the rehearsal in this folder, or was not seen."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder of the rehearsal; a new one.")] = None,
    json: JsonFlag = False,
) -> None:
    """Rehearse on the twin in real time: executor, actor and learner as with a robot, and faults.

    The twin's devices are behind pseudo-terminals. While it learns, motors, bus, sensors, camera,
    supply and our own processes fail one after the other; each must be told, reacted to and
    recovered from within its budget. Writes dry_run.json and dry_run.html; exit code 0 only if all
    held.

    Example: `robosac dry-run minitaur --seconds 60 --faults motor-off,bus-unplugged,estop-signal`
    """
    from robosac import commands

    if again is not None and faults != "all":
        usage("--again FOLDER says itself which faults; give no --faults")
    found: list[bool] = []
    guarded(
        lambda: found.append(
            commands.dry_run(preset, seconds, faults, seed, out, again, as_json=json)
        )
    )
    raise typer.Exit(OK if found == [True] else FAILED)


@app.command()
def twin(
    preset: Annotated[str, typer.Argument(help="`minitaur` or `claw`.")],
    link: Annotated[
        Path | None, typer.Option(help="Folder for stable names of the ports, made if need be.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random in the twin.")] = 0,
    faults: Annotated[
        str, typer.Option(help="What shall fail, such as `servo:3=off@2.0,bus=drop:0.05`.")
    ] = "",
    floor: Annotated[
        bool, typer.Option("--floor", help="Put the robot on the floor, not on a stand.")
    ] = False,
    hung: Annotated[
        bool,
        typer.Option("--hung", help="Hang it up as `robosac calibrate latency|actuators` asks."),
    ] = False,
    cameras: Annotated[
        Path | None, typer.Option(help="Folder for the sockets of its cameras, which it then has.")
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="Whose measured lens, place and delay its camera has.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Serve a twin's devices on pseudo-terminals, in real time, until Ctrl-C.

    Faults are TARGET=KIND[:AMOUNT][@START-END]. Targets: servo, servo:ID, imu, bus, bus:PORT.
    Kinds: off, stuck, garbage, wrong, slow, delayed, intermittent, reboot; of a bus also drop,
    flip, truncate, split, duplicate, late, wrong-id, unplug, brownout.

    Example: `robosac twin minitaur --link /tmp/minitaur --faults "imu=stuck@5-8,bus=flip:0.01"`
    """
    from robosac import commands

    guarded(
        lambda: commands.twin(preset, link, seed, faults, floor, hung, cameras, calibration, json)
    )


@app.command()
def estop(
    reset: Annotated[
        bool,
        typer.Option(
            "--reset",
            help="Open the gates again. Nothing moves by that: `robosac faults --clear estop`"
            " and a fresh arming must follow.",
        ),
    ] = False,
    wait: Annotated[
        float,
        typer.Option(
            min=0.05, max=30.0, help="Time for an owner to confirm until it is killed, s."
        ),
    ] = 1.0,
    json: JsonFlag = False,
) -> None:
    """Stop every robot of this user now; success means that torque was read back off.

    An owner that does not confirm is killed, and its motors are stopped from here. It stops in
    software and is no certified emergency stop: the motor supply needs its own relay.

    Example: `robosac estop`
    """
    from robosac import stop_commands

    found: list[bool] = []
    act = stop_commands.reset if reset else stop_commands.estop
    guarded(lambda: found.append(act(wait, json)))
    raise typer.Exit(OK if found == [True] else FAILED)


@app.command()
def faults(
    robot: Annotated[
        str | None, typer.Argument(help="Name in the robot file; default: every robot.")
    ] = None,
    clear: Annotated[
        str | None, typer.Option(help="Clear the latched faults of this name.")
    ] = None,
    folder: Annotated[
        str | None, typer.Option(help="The setting stop.state_folder, where it is not the usual.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """List the latched faults of robots, or clear one by name; a fresh arming must follow.

    Example: `robosac faults minitaur --clear motor_fault`
    """
    from robosac import stop_commands

    guarded(lambda: stop_commands.faults(robot, clear, folder, json))


@app.command()
def keepalive(
    name: Annotated[str, typer.Argument(help="As in the setting stop.keepalive.endpoints.")] = "",
    key: Annotated[Path, typer.Option(help="File of the shared key, mode 0600.")] = Path(
        "keepalive.key"
    ),
    address: Annotated[str, typer.Option(help="The robot's stop.keepalive.address.")] = (
        "127.0.0.1:47815"
    ),
    timeout: Annotated[
        float, typer.Option(min=0.05, max=3.0, help="Silence that stops the robot, s.")
    ] = 1.0,
    make_key: Annotated[bool, typer.Option("--make-key", help="Make the key and leave.")] = False,
) -> None:
    """Be a remote e-stop endpoint: the robot moves only while this runs. Space or s stops it.

    Example: `robosac keepalive desk --key keepalive.key --address 192.168.7.2:47815`
    """
    from robosac import stop_commands

    if make_key:
        guarded(lambda: stop_commands.make_key(key))
        return
    if not name:
        usage("keepalive needs the endpoint's name, as in the setting stop.keepalive.endpoints")
    guarded(lambda: stop_commands.keepalive(name, key, address, timeout))


def main() -> None:
    """Entry point of the console script."""
    app()
