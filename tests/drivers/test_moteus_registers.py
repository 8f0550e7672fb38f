"""Outside the control tick: identity, registers and the zero position, against scripted lines."""

import math

import numpy as np
import pytest

from drivers.errors import BusTimeout, DeviceError
from drivers.moteus import (
    Register,
    Resolution,
    Stop,
)
from drivers.moteus.multiplex import Read, Write
from drivers.moteus.readings import TAGS
from tests.drivers.moteus_script import BOTH, answer, bus_with, reply


def test_read_tries_again_and_gives_up() -> None:
    bus, wire = bus_with(b"", b"rcv 0100 2D0700002041 e B F\r\n")
    assert bus.read(1, Register.POWER) == 10.0
    assert wire.written[0] == b"can send 8001 1d07\n"
    with pytest.raises(BusTimeout, match="controller 2"):
        bus.read(2, Register.POWER)


def test_refusals_are_device_errors() -> None:
    bus, _ = bus_with(b"rcv 0100 310701 e B F\r\n", b"rcv 0100 300102 e B F\r\n")
    with pytest.raises(DeviceError, match="controller 1"):
        bus.read(1, Register.POWER)
    with pytest.raises(DeviceError, match="controller 1"):
        bus.write(1, Register.POSITION, 0.5)


def test_several_registers_in_one_frame() -> None:
    bus, wire = bus_with(b"OK\r\n" + answer("21000a 2d25 00006040"))
    blocks = [
        Read(Register.MODE, Resolution.INT8),
        Read(Register.COMMAND_MAXIMUM_TORQUE, Resolution.FLOAT),
        Read(Register.POWER, Resolution.INT16),
    ]
    with pytest.raises(DeviceError, match="0x007"):
        bus.read_many(1, blocks)
    assert wire.written == [b"can send 8001 11001d251507\n"]
    bus, _ = bus_with(answer("21000a 2d25 00006040 2507 c800"))
    assert bus.read_many(1, blocks) == {0: 10.0, 0x25: 3.5, 7: 10.0}


def test_a_reply_that_cannot_fit_is_not_asked_for() -> None:
    bus, wire = bus_with()
    with pytest.raises(ValueError, match="66 bytes"):
        bus.read_many(1, [Read(0x20, Resolution.FLOAT, 15), Read(0x00, Resolution.INT8)])
    assert not wire.written


def test_several_registers_are_written_in_one_frame() -> None:
    bus, wire = bus_with(answer("5050"))
    bus.write_many(
        1,
        [
            Write(Register.MODE, Resolution.INT8, (10.0,)),
            Write(Register.COMMAND_KP_SCALE, Resolution.FLOAT, (1.0, 0.5)),
        ],
    )
    assert wire.written == [b"can send 8001 01000a0e230000803f0000003f505050\n"]


STOPPED, DRIVING = answer("210000"), answer("21000a")


def test_a_new_zero_is_set_and_read_back() -> None:
    bus, wire = bus_with(STOPPED, answer("50"), answer("2d01 0000803e 210c02"))
    assert bus.rezero(1, 0.25, exact=True) == 0.25
    assert wire.written == [
        b"can send 8001 1100\n",
        b"can send 8001 0db1020000803e\n",  # as moteus.Controller.make_set_output_exact
        b"can send 8001 1d01110c\n",
    ]
    bus, wire = bus_with(STOPPED, answer("50"), answer("2d01 000080be 210c02"))
    assert bus.rezero(1, 0.25) == -0.25, "whole turns of the rotor leave up to half a turn"
    assert wire.written[1] == b"can send 8001 0db0020000803e\n"


def test_a_new_zero_makes_any_position_plausible() -> None:
    bus, _ = bus_with(
        BOTH, STOPPED, answer("50"), answer("2d01 0000c040 210c02"), reply(1, 6.0) + reply(2, 0.5)
    )
    bus.exchange(Stop(), 0.004)
    bus.rezero(1, 6.0, exact=True)
    readings = bus.exchange(Stop(), 0.1)
    assert readings.valid.all()
    np.testing.assert_allclose(readings.position_rev, [6.0, 0.5])


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ((DRIVING,), "mode 10; stop it"),
        ((STOPPED, answer("30b10201")), "no such register"),
        ((STOPPED, answer("50"), answer("2d01 0000003f 210c02")), "reads back 0.5"),
        ((STOPPED, answer("50"), answer("2d01 0000c07f 210c02")), "reads back nan"),
        ((STOPPED, answer("50"), answer("2d01 0000803e 210c01")), "home state 1"),
    ],
)
def test_a_new_zero_that_fails_is_told(answers: tuple[bytes, ...], message: str) -> None:
    bus, _ = bus_with(*answers)
    with pytest.raises(DeviceError, match=message):
        bus.rezero(1, 0.25, exact=True)


def test_impossible_zeros_are_refused() -> None:
    bus, wire = bus_with()
    with pytest.raises(ValueError, match="finite"):
        bus.rezero(1, math.nan)
    with pytest.raises(ValueError, match=r"\[1, 2\]"):
        bus.rezero(3, 0.0)
    assert not wire.written


def test_recapture_only_while_stopped() -> None:
    bus, wire = bus_with(STOPPED, answer("50"), DRIVING)
    bus.recapture(1)
    # As moteus.Controller.make_recapture_position_velocity.
    assert wire.written[1] == b"can send 8001 01b30201\n"
    with pytest.raises(DeviceError, match="stop it"):
        bus.recapture(1)


IDENTITY = "2a8002 04000000 0d010000 2ba002 01000000 02000000 03000000"


def test_probe_leaves_out_the_silent() -> None:
    bus, wire = bus_with(answer(f"{IDENTITY} 2507 c800 200a20 1900 80 7f7f 07 80 0a 80 ec 505050"))
    found = bus.probe()
    assert set(found) == {1}
    assert (found[1].model, found[1].firmware, found[1].serial) == (4, 0x10D, (1, 2, 3))
    assert wire.written[0] == b"can send 8001 1a80021ba0021507100a2050\n"


@pytest.mark.parametrize(
    ("refusal", "register"), [("310701", "0x007"), ("2507 c800 312801", "0x028")]
)
def test_probe_names_firmware_without_the_registers_of_an_exchange(
    refusal: str, register: str
) -> None:
    bus, _ = bus_with(answer(f"{IDENTITY} {refusal}"))
    with pytest.raises(DeviceError, match=f"controller 1 .*{register}.*firmware"):
        bus.probe()


def test_a_late_reply_of_the_control_tick_answers_no_other_question() -> None:
    late = reply(1, 9.0, mode=0, tag=TAGS[0])
    true = answer("2d01 0000803e")
    bus, wire = bus_with(b"", late, true)
    bus.exchange(Stop(), 0.004)
    assert bus.read(1, Register.POSITION) == 0.25
    assert len(wire.written) == 3
    bus, wire = bus_with(b"", late, answer("5050"))
    bus.exchange(Stop(), 0.004)
    bus.write(1, Register.COMMAND_KP_SCALE, 0.5)
    assert len(wire.written) == 3, "it does not confirm a write"
