"""The twin of a row of moteus controllers: frames, registers and consoles around `MoteusServos`.

As in the firmware (fw/moteus_controller.cc, mjlib/multiplex/micro_server.cc), a frame is answered
from the state before its command: a write to the mode takes effect once the whole frame was read,
and resets every command register. Not modelled: the registers of PWM and voltage modes, of encoders
and of auxiliary ports; they answer as unknown registers do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.moteus.registers import (
    BROADCAST_ID,
    REPLY_REQUESTED,
    FaultCode,
    Mode,
    Quantity,
    Register,
)
from sim.firmware.moteus import usual as moteus_usual
from sim.firmware.moteus.config import MoteusConfig, ServoCommand
from sim.firmware.moteus.console import Console
from sim.firmware.moteus.frames import (
    ReadRequest,
    ReplyWriter,
    StreamRequest,
    WriteRequest,
    decode_requests,
    from_raw,
)
from sim.firmware.moteus.registers import (
    NOT_WRITEABLE,
    OUTPUT,
    ROTOR,
    UNKNOWN,
    ServoRegisters,
)
from sim.firmware.moteus.servos import MoteusServos
from sim.firmware.moteus.settings import all_options, read_option, write_option

__all__ = ["MoteusBank", "MoteusConfig"]

FloatArray = NDArray[np.float64]
CanFrames = list[tuple[int, bytes]]

_ID_OPTION = "id.id"
_MASKS = range(Register.UUID_MASK_1, Register.UUID_MASK_4 + 1)
_ORDERS = range(Register.SET_OUTPUT_NEAREST, Register.RECAPTURE + 1)


class MoteusBank:
    """Controllers with the CAN ids `ids`; arrays have shape (n,), in that order.

    Raises:
        ValueError: an id that is not 1 to 126, or listed twice.
    """

    def __init__(self, ids: Sequence[int], config: MoteusConfig | None = None) -> None:
        if len(set(ids)) != len(ids) or not all(1 <= id < BROADCAST_ID for id in ids):
            raise ValueError(f"ids must be distinct and 1 to 126, got {list(ids)}")
        self._ids = tuple(ids)
        self._index = {id: index for index, id in enumerate(ids)}
        config = config or MoteusConfig()
        self._servos = MoteusServos(len(ids), config)
        self._stored = [config] * len(ids)
        self._registers = ServoRegisters(self._servos, ids)
        self.power_cycle()

    @property
    def driving(self) -> NDArray[np.bool_]:
        """False where the phases are open, so that the motor gives no torque; do not change it."""
        return self._servos.driving

    @property
    def modes(self) -> tuple[Mode, ...]:
        """What every controller is doing."""
        return tuple(Mode(mode) for mode in self._servos.mode)

    @property
    def following(self) -> list[int]:
        """Ids of the controllers in position mode."""
        modes = zip(self._ids, self._servos.mode, strict=True)
        return [id for id, mode in modes if mode == Mode.POSITION]

    @property
    def faults(self) -> tuple[FaultCode, ...]:
        """Every controller's latched fault."""
        return tuple(FaultCode(fault) for fault in self._servos.fault)

    def power_cycle(self) -> None:
        """As after switching off and on: stopped; latches, commands and unsaved options gone."""
        count = len(self._ids)
        for index, config in enumerate(self._stored):
            if config is not self._servos.configs[index]:
                self._servos.configure(index, config)
        self._servos.power_cycle()
        self._registers.power_cycle()
        self._offset = np.zeros(count)
        self._is_offset = False
        self._consoles = [Console(_Servo(self, index)) for index in range(count)]
        self._usual_rest = [b""] * count
        self._usual_tail: list[tuple[float, ...]] = [()] * count

    def control(
        self, position_rev: FloatArray, velocity_rev_s: FloatArray, supply_v: float, dt: float
    ) -> FloatArray:
        """One step of `dt` (s) of every controller; phase voltages (V), valid until the next."""
        if self._is_offset:
            position_rev = position_rev + self._offset
        return self._servos.control(position_rev, velocity_rev_s, supply_v, dt)

    def sense(
        self,
        position_rev: FloatArray,
        velocity_rev_s: FloatArray,
        torque_nm: FloatArray,
        power_w: FloatArray,
        temperature_c: FloatArray,
        supply_v: float,
    ) -> None:
        """Set what replies report from now on; too hot a controller goes into fault."""
        if self._is_offset:
            position_rev = position_rev + self._offset
        temperatures = temperature_c.tolist()
        self._registers.sensed = list(
            zip(
                position_rev.tolist(),
                velocity_rev_s.tolist(),
                torque_nm.tolist(),
                power_w.tolist(),
                temperatures,
                strict=True,
            )
        )
        self._registers.supply_v = supply_v
        if max(temperatures) > self._servos.warm_from_c or self._servos.any_derated:
            for index, temperature in enumerate(temperatures):
                self._servos.warm(index, temperature)

    def trip(self, index: int, fault_code: int) -> None:
        """Put one controller into fault until mode 0 is written."""
        self._servos.trip(index, fault_code)

    def handle_frame(self, arbitration_id: int, data: bytes) -> CanFrames:
        """Take one CAN-FD frame and return the (arbitration id, data) of the replies to it."""
        destination = arbitration_id & 0x7F
        index = self._index.get(destination)
        if index is not None:
            targets: Sequence[int] = (index,)
        else:
            targets = range(len(self._ids)) if destination == BROADCAST_ID else ()
        reply_id = arbitration_id >> 8 & 0x7F
        wanted = bool(arbitration_id & REPLY_REQUESTED)
        replies: CanFrames = []
        for target in targets:
            reply = self._usual(target, data)
            if reply is None:
                reply = self.handle_any(target, data, wanted)
            if wanted and reply is not None:
                replies.append((self._ids[target] << 8 | reply_id, reply))
        return replies

    def handle_any(self, index: int, data: bytes, wanted: bool = True) -> bytes | None:
        """Take a frame of any layout for one controller; return its reply, asked for or not.

        None: the frame's UUID mask names another controller, so that this one stays silent.
        """
        self._usual_rest[index] = b""
        writer = ReplyWriter()
        commanded = False
        for request in decode_requests(data):
            if isinstance(request, ReadRequest):
                if not self._answer(index, request, writer):
                    break
            elif isinstance(request, StreamRequest):
                writer.append(self._consoles[index].handle(request.data, wanted))
            elif self._is_masked(index, request):
                return None
            else:
                commanded |= self._write(index, request, writer)
        if commanded:
            self._servos.command(index, self._registers.pending[index])
        return writer.finish()

    def set_output(self, index: int, position_rev: float, exact: bool) -> None:
        """Call one output's position another one; `exact` or by whole turns of the rotor."""
        position, *rest = self._registers.sensed[index]
        turns = position_rev - position
        turns = turns if exact else float(round(turns))
        self._offset[index] += turns
        self._is_offset = True
        self._registers.sensed[index] = (position + turns, *rest)
        self._registers.home[index] = OUTPUT
        self._servos.shift(index, turns)

    def command(self, index: int, command: ServoCommand) -> None:
        """Give one controller a command by another way than a frame."""
        self._usual_rest[index] = b""
        self._registers.pending[index] = command
        self._servos.command(index, command)

    def recapture(self, index: int) -> None:
        """Let one set-point start again from where its output is."""
        self._servos.recapture(index)

    def id_of(self, index: int) -> int:
        """One controller's CAN id."""
        return self._ids[index]

    def configuration(self, index: int) -> MoteusConfig:
        """One controller's options, as they are in its memory."""
        return self._servos.configs[index]

    def configure(self, index: int, config: MoteusConfig, restart: bool = False) -> None:
        """Change one controller's options; a `restart` of its motor model faults a driven one."""
        self._servos.configure(index, config)
        if restart and self._servos.driving[index]:
            self._servos.trip(index, FaultCode.CONFIG_CHANGED)

    def stored(self, index: int) -> MoteusConfig:
        """One controller's options, as they are in its flash."""
        return self._stored[index]

    def store(self, index: int) -> None:
        """Keep one controller's options over a power cycle."""
        self._stored[index] = self._servos.configs[index]

    def require_index(self, index: int) -> None:
        """Let one position be the rotor's own again."""
        self.set_output(index, self._registers.sensed[index][0] - self._offset[index], exact=True)
        self._registers.home[index] = ROTOR

    def _usual(self, index: int, data: bytes) -> bytes | None:
        """A usual frame without the detour through single registers; None: it is another one."""
        if len(data) != moteus_usual.SIZE or not moteus_usual.is_usual(data):
            other = moteus_usual.other(data)
            return None if other is None else self._usual_other(index, *other)
        servos, registers = self._servos, self._registers
        rest = data[moteus_usual.BESIDES_POSITION]
        # Nearly every tick only the goal is new.
        same = rest == self._usual_rest[index]
        if same:
            position = moteus_usual.position_of(data)
            command = ServoCommand._make((Mode.POSITION, position, *self._usual_tail[index]))
        else:
            command = moteus_usual.command_of(data)
            self._usual_rest[index], self._usual_tail[index] = rest, command[2:]
        registers.pending[index] = command
        reply = self._usual_reply(index, data[moteus_usual.TAG_AT], command)
        if not (same and servos.follow(index, command.position)):
            servos.command(index, command)
        return reply

    def _usual_other(self, index: int, written: bytes, register: int) -> bytes:
        """Write what does not drive, by registers, and answer the usual query at once."""
        self._usual_rest[index] = b""
        for request in decode_requests(written):
            assert isinstance(request, WriteRequest)
            self._write(index, request, ReplyWriter())
        command = self._registers.pending[index]
        reply = self._usual_reply(index, register, command)
        self._servos.command(index, command)
        return reply

    def _usual_reply(self, index: int, register: int, command: ServoCommand) -> bytes:
        """What one controller tells before it heeds a command that it has just been given."""
        servos, registers = self._servos, self._registers
        return moteus_usual.reply_of(
            register,
            command,
            servos.mode[index],
            servos.limiting(index),
            registers.sensed[index],
            registers.supply_v,
        )

    def _is_masked(self, index: int, request: WriteRequest) -> bool:
        """True if a request writes a part of a UUID that is not this controller's."""
        return any(
            register in _MASKS and self._registers.is_masked(index, register, request.type, raw)
            for register, raw in enumerate(request.raw, request.register)
        )

    def _write(self, index: int, request: WriteRequest, writer: ReplyWriter) -> bool:
        """Write registers one by one; True if the mode was among them."""
        commanded = False
        for register, raw in enumerate(request.raw, request.register):
            if register in _ORDERS:
                self._obey_order(index, register, from_raw(raw, request.type, Quantity.POSITION))
            elif register not in _MASKS:
                code = self._registers.write(index, register, request.type, raw)
                if code:
                    writer.error(register, code, writing=True)
                commanded |= register == Register.MODE and not code
        return commanded

    def _obey_order(self, index: int, register: int, value: float) -> None:
        """What takes effect as soon as it is written, and has no mode."""
        if register == Register.RECAPTURE:
            self.recapture(index)
        elif register == Register.REQUIRE_REINDEX:
            self.require_index(index)
        elif value == value:
            self.set_output(index, value, exact=register == Register.SET_OUTPUT_EXACT)

    def _answer(self, index: int, request: ReadRequest, writer: ReplyWriter) -> bool:
        """Answer a block of registers, whole or not at all; False: the frame ends here."""
        if not writer.fits(request):
            writer.error(request.register, NOT_WRITEABLE, writing=False)
            return True
        values: list[float] = []
        for register in range(request.register, request.register + request.length):
            raw = self._registers.read(index, register, request.type)
            if raw is None:
                writer.error(register, UNKNOWN, writing=False)
                return False
            values.append(raw)
        writer.values(request.register, request.type, values, request.counted)
        return True


class _Servo:
    """One controller of a bank, as its console sees it."""

    def __init__(self, bank: MoteusBank, index: int) -> None:
        self._bank, self._index = bank, index

    def command(self, command: ServoCommand) -> None:
        """Take a command, as from a frame."""
        self._bank.command(self._index, command)

    def set_output(self, position_rev: float, exact: bool) -> None:
        """Call the output's position another one."""
        self._bank.set_output(self._index, position_rev, exact)

    def recapture(self) -> None:
        """Let the set-point start again from the output."""
        self._bank.recapture(self._index)

    def require_index(self) -> None:
        """Let the position be the rotor's own again."""
        self._bank.require_index(self._index)

    def read_option(self, name: str) -> str | None:
        """An option as text; None: unknown."""
        if name == _ID_OPTION:
            return str(self._bank.id_of(self._index))
        return read_option(self._bank.configuration(self._index), name)

    def write_option(self, name: str, text: str) -> bool:
        """Change an option in memory; False: unknown, or not a value of it."""
        if name == _ID_OPTION:
            return text == str(self._bank.id_of(self._index))
        config = write_option(self._bank.configuration(self._index), name, text)
        if config is None:
            return False
        # The firmware restarts its motor model, which it does not do while driving.
        self._bank.configure(self._index, config, restart=name.startswith("motor."))
        return True

    def all_options(self) -> Iterator[tuple[str, str]]:
        """Name and value of every option."""
        yield _ID_OPTION, str(self._bank.id_of(self._index))
        yield from all_options(self._bank.configuration(self._index))

    def restore(self, stored: bool) -> None:
        """Take all options from flash, or else the firmware's defaults."""
        config = self._bank.stored(self._index) if stored else MoteusConfig()
        self._bank.configure(self._index, config, restart=True)

    def store(self) -> None:
        """Keep all options in flash."""
        self._bank.store(self._index)
