"""The vendor's own client drives our leg firmware, and our driver says what that client says."""

import math
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import moteus
import numpy as np
import pytest

from drivers.checksum import crc8
from drivers.moteus import Damp, PositionCommand, Stop
from drivers.moteus.command import Command, encode
from drivers.moteus.fdcanusb import encode_send
from drivers.moteus.readings import TAGS
from sim.served import ServedTwin, served
from tests.conformance.moteus_client import IDS, drive, line_sent

pytestmark = pytest.mark.realtime

R = moteus.Register
controller: Any = moteus.Controller
"""The client's types tell less than it returns."""


@dataclass(frozen=True)
class Legs:
    """A served quadruped and the dialect in which to speak to it."""

    twin: ServedTwin
    checksum: bool

    def run(self, script: Any) -> Any:
        return drive(self.twin.path("legs"), self.checksum, script)

    def mode(self, id: int) -> str:
        """By the twin's own journal, not by any wire."""
        return self.twin.ask("state")["modes"][str(id)]


@pytest.fixture(scope="module", params=[False, True], ids=["adapter", "uart"])
def legs(request: pytest.FixtureRequest) -> Iterator[Legs]:
    with served("minitaur") as twin:
        yield Legs(twin, request.param)


async def until(mode: moteus.Mode, act: Callable[[], Awaitable[Any]]) -> Any:
    """Act until the controller answers from `mode`; `drive` bounds how long that may take."""
    while (result := await act()).values[R.MODE] != mode:
        continue
    return result


def test_query(legs: Legs) -> None:
    async def script(transport: Any) -> Any:
        return await controller(3, transport=transport).query()

    result = legs.run(script)
    assert result.id == 3
    assert result.values[R.MODE] == moteus.Mode.STOPPED
    assert abs(result.values[R.POSITION]) < 0.5
    assert result.values[R.VOLTAGE] == pytest.approx(16.0, abs=0.5)
    assert result.values[R.FAULT] == 0


def test_custom_query(legs: Legs) -> None:
    wanted = {R.MODE: moteus.INT8, R.POSITION: moteus.F32, R.VOLTAGE: moteus.INT16}
    wanted |= {R.Q_CURRENT: moteus.F32, R.HOME_STATE: moteus.INT8, R.COMMAND_KP_SCALE: moteus.F32}

    async def script(transport: Any) -> Any:
        return await controller(2, transport=transport).custom_query(wanted)

    values = legs.run(script).values
    assert set(values) == set(wanted)
    assert values[R.COMMAND_KP_SCALE] == 1.0


def test_position_is_held_until_the_watchdog_ends_it(legs: Legs) -> None:
    async def script(transport: Any) -> tuple[Any, Any, Any, Any]:
        one = controller(1, transport=transport)
        here = (await one.query()).values[R.POSITION]
        goal = {"position": here, "maximum_torque": 1.0, "accel_limit": -1.0, "query": True}
        driving = await until(moteus.Mode.POSITION, lambda: one.set_position(**goal))
        silent = await until(moteus.Mode.TIMEOUT, one.query)
        ignored = await one.set_position(**goal)
        await one.set_stop()
        return driving, silent, ignored, await one.query()

    driving, silent, ignored, stopped = (r.values[R.MODE] for r in legs.run(script))
    assert driving == moteus.Mode.POSITION
    assert silent == ignored == moteus.Mode.TIMEOUT
    assert stopped == moteus.Mode.STOPPED


@pytest.mark.parametrize(
    ("mode", "make"),
    [
        ("ZERO_VELOCITY", lambda c: c.make_zero_velocity(query=True)),
        ("ZERO_VELOCITY", lambda c: c.make_zero_velocity(kd_scale=0.5, query=True)),
        ("BRAKE", lambda c: c.make_brake(query=True)),
        (
            "STAY_WITHIN",
            lambda c: c.make_stay_within(
                lower_bound=-2.0, upper_bound=2.0, watchdog_timeout=math.nan, query=True
            ),
        ),
        (
            "POSITION",
            lambda c: c.make_position(
                position=math.nan, velocity=0.0, watchdog_timeout=math.nan, query=True
            ),
        ),
    ],
)
def test_modes_are_entered_and_left(legs: Legs, mode: str, make: Any) -> None:
    async def script(transport: Any) -> tuple[Any, str]:
        five = controller(5, transport=transport)
        await five.set_stop()
        result = await until(moteus.Mode[mode], lambda: five.execute(make(five)))
        inside = legs.mode(5)
        await five.set_stop()
        return result, inside

    result, inside = legs.run(script)
    assert inside == mode
    assert moteus.Mode(result.values[R.MODE]).name == mode
    assert legs.mode(5) == "STOPPED"


def test_every_controller_in_one_cycle(legs: Legs) -> None:
    async def script(transport: Any) -> Any:
        commands = [controller(id, transport=transport).make_query() for id in IDS]
        return await transport.cycle(commands)

    assert [result.id for result in legs.run(script)] == list(IDS)


def test_discover(legs: Legs) -> None:
    async def script(transport: Any) -> Any:
        return await transport.discover()

    found = legs.run(script)
    assert [device.can_id for device in found] == list(IDS)
    assert len({device.uuid for device in found}) == len(IDS)


def test_output_is_set_only_while_stopped(legs: Legs) -> None:
    async def script(transport: Any) -> list[float]:
        seven = controller(7, transport=transport)
        before = (await seven.query()).values[R.POSITION]
        await seven.set_output_exact(position=before + 0.3)
        exact = (await seven.query()).values[R.POSITION]
        await seven.set_output_nearest(position=before + 2.0)
        nearest = (await seven.query()).values[R.POSITION]
        await seven.set_output_exact(position=before)
        return [before, exact, nearest, (await seven.query()).values[R.POSITION]]

    before, exact, nearest, restored = legs.run(script)
    assert exact == pytest.approx(before + 0.3, abs=0.01)
    # Nearest keeps the fraction of a turn that the encoder tells; the turns are free.
    assert abs(nearest - (before + 2.0)) < 0.51
    assert restored == pytest.approx(before, abs=0.01)


TAG = TAGS[3]


def ours(command: Command, tag: int = TAG) -> bytes:
    return encode_send(0x8001, encode(command, 1, tag)[0])


def client_controller(tag: int = TAG) -> Any:
    """The client told to use the resolutions that our driver uses, and to ask for its tag."""
    query, position = moteus.QueryResolution(), moteus.PositionResolution()
    query.power = query.voltage = query.temperature = query.fault = moteus.INT16
    query._extra = {tag: moteus.INT8}
    position.watchdog_timeout = position.velocity_limit = moteus.INT16
    position.accel_limit = moteus.INT16
    return controller(1, query_resolution=query, position_resolution=position, transport=object())


GOAL = {
    "position": 0.25,
    "velocity": -0.5,
    "feedforward_torque": 0.1,
    "kp_scale": 0.5,
    "kd_scale": 0.75,
    "maximum_torque": 3.5,
    "watchdog_timeout": 0.1,
    "velocity_limit": math.nan,
    "accel_limit": -1.0,
}


def position_command(**changes: float) -> PositionCommand:
    values = GOAL | {"stop_position": math.nan} | changes
    names = {
        "position": "position_rev",
        "velocity": "velocity_rev_s",
        "feedforward_torque": "feedforward_torque_nm",
        "maximum_torque": "maximum_torque_nm",
        "stop_position": "stop_position_rev",
        "watchdog_timeout": "watchdog_timeout_s",
    }
    return PositionCommand(**{names.get(k, k): np.array([v]) for k, v in values.items()})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"position": math.nan},
        {"watchdog_timeout": 0.035, "position": -3.0},
        {"watchdog_timeout": math.nan},
        {"watchdog_timeout": 0.0, "accel_limit": math.nan},
    ],
)
def test_our_position_frames_are_the_clients(changes: dict[str, float]) -> None:
    assert_same_frame(
        ours(position_command(**changes)),
        client_controller().make_position(**(GOAL | changes), query=True),
    )


def test_our_frames_with_limits_are_the_clients_in_floats() -> None:
    limits = {"velocity_limit": 2.0, "accel_limit": 40.0, "stop_position": 0.5}
    client = client_controller()
    client.position_resolution = moteus.PositionResolution()
    assert_same_frame(
        ours(position_command(**limits)), client.make_position(**(GOAL | limits), query=True)
    )


@pytest.mark.parametrize("tag", TAGS)
def test_our_stop_frame_is_the_clients_with_every_tag(tag: int) -> None:
    assert_same_frame(ours(Stop(), tag), client_controller(tag).make_stop(query=True))


def test_our_damping_frame_differs_where_the_client_has_no_words() -> None:
    """The client cannot send a torque limit or a watchdog time with zero velocity; we do."""
    theirs = frame_of(line_sent(client_controller().make_zero_velocity(query=True)))
    mine = frame_of(ours(Damp(2.0, 0.1)))
    assert mine[0] == theirs[0]
    mode, extra = mine[1][:3], mine[1][3:13]
    assert mode == theirs[1][:3]
    assert extra == bytes.fromhex("0d25 00000040 0527 6400")
    assert mine[1][13:].rstrip(b"P") == theirs[1][3:].rstrip(b"P")


def frame_of(line: bytes) -> tuple[int, bytes]:
    """Id and data of a `can send` line, whatever its flags and the case of its digits."""
    words = line.split()
    assert words[:2] == [b"can", b"send"]
    return int(words[2], 16), bytes.fromhex(words[3].decode())


def assert_same_frame(line: bytes, command: Any) -> None:
    """Equal id and data, padding and all.

    The lines differ in what carries no meaning: the client writes digits in capitals, and states
    the flags (bit rate switch, CAN FD) that are the adapter's own defaults.
    """
    theirs = line_sent(command)
    assert frame_of(line) == frame_of(theirs)
    assert line.split()[:3] == theirs.split()[:3]
    assert theirs.split()[4:] == [b"BF"]


def test_the_uart_dialect_has_the_clients_checksum() -> None:
    theirs = line_sent(client_controller().make_stop(query=True), checksum=True)
    text, star, digits = theirs.strip().rpartition(b"*")
    assert star
    assert int(digits, 16) == crc8(text)
