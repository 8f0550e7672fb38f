"""Which files are mutated, and the fewest fast tests that tell what each must do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """One source file and the tests that have to notice a change to it, from the root."""

    file: str
    tests: tuple[str, ...]


def _robosac(name: str, *tests: str) -> Target:
    names = tests or (name,)
    return Target(f"robosac/{name}.py", tuple(f"tests/robosac/test_{test}.py" for test in names))


def _drivers(name: str, *tests: str) -> Target:
    return Target(f"drivers/{name}.py", tuple(f"tests/drivers/test_{test}.py" for test in tests))


TARGETS = (
    # The executor's state machine.
    _robosac("states", "states", "executor_stop", "executor_faults"),
    _robosac("machine", "machine", "executor_stop", "executor_faults", "fault_journal"),
    _robosac("latch", "latch", "executor_stop", "fault_journal"),
    _robosac("estop", "estop", "executor_stop"),
    _robosac("requests"),
    _robosac("course"),
    _robosac("arming", "arming", "executor_stop", "executor_faults"),
    _robosac("bounds"),
    _robosac("recovery", "bounds"),
    _robosac("watch", "watch_inspect"),
    _robosac("watch_body"),
    _robosac("watch_settings"),
    _robosac("watch_supply"),
    _robosac("watch_verdict"),
    # Decoders.
    Target("robosac/link/envelope.py", ("tests/robosac/link/test_envelope.py",)),
    _robosac("seqlock"),
    _robosac("tick_codec"),
    _drivers("checksum", "checksum"),
    _drivers("dynamixel/packet", "dynamixel_packet"),
    _drivers("dynamixel/fast_reply", "dynamixel_fast_reply"),
    _drivers("dynamixel/instructions", "dynamixel_instructions"),
    _drivers("moteus/multiplex", "multiplex"),
    _drivers("moteus/fdcanusb", "fdcanusb_lines"),
    _drivers("moteus/readings", "moteus_readings", "moteus_replies"),
    _drivers("moteus/diagnostic", "moteus_diagnostic"),
    _drivers("vectornav/codec", "vectornav"),
    _drivers("vectornav/layout", "vectornav_layout", "vectornav"),
    _drivers("vectornav/registers", "vectornav_registers", "vectornav"),
    _drivers("hipnuc/codec", "hipnuc"),
    # What bounds a command.
    _robosac("lowpass"),
    _robosac("thermal"),
    _robosac("braking"),
    _robosac("keepout", "keepout_steps", "keepout"),
    _robosac("finger_keepout"),
    _robosac("safety", "safety_steps", "safety", "soft_zone"),
)
