"""Whether any wrong, stale or other robot's calibration is believed.

    python -m tests.sweeps.calibration_mutations --mutations 1000

from the repository's root. Each mutation changes either the file of a measured quadruped (bytes,
lines or values, under its old sum or under a right one) or the robot it belongs to (robot file,
controllers, inertial sensor, adapters, the day). It is then taken through the checks in the order
in which starting and arming make them. Exit code 0 if the unchanged pair is believed and every
mutation is refused, by an error of the calibration's own kinds.

Not among them: a value that stands under a right sum and that no device contradicts, such as a
correction that somebody changed and sealed again. No check could tell it from a measurement.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
import yaml

from calibration.file import dump, parse
from calibration.record import DeviceTag
from robosac.errors import CalibrationMismatch
from robosac.robots.identity import check_age, check_imu, check_motors, check_ports
from robosac.robots.robot_file import RobotFile, load_robot_file
from robosac.robots.wiring import check_calibration
from tests.calibration.specimens import MEASURED
from tests.sweeps.saying import say

VALID_DAYS = 180.0
Rng = np.random.Generator


@dataclass(frozen=True)
class Found:
    """A calibration file and the robot in front of it."""

    text: bytes
    file: RobotFile
    motors: dict[str, DeviceTag]
    imu: DeviceTag
    ports: dict[str, str | None]
    today: datetime.date


def own() -> Found:
    """The measured quadruped with its own calibration."""
    tags = {name: joint.device for name, joint in MEASURED.joints.items()}
    assert MEASURED.imu is not None
    return Found(
        dump(MEASURED),
        load_robot_file(None),
        {name: tag for name, tag in tags.items() if tag is not None},
        MEASURED.imu,
        dict(MEASURED.ports),
        datetime.date(2026, 2, 1),
    )


def refusal(found: Found) -> str:
    """Why the robot is not armed, as starting and arming check it; empty if it is."""
    try:
        calibration = parse(found.text, "calibration.yaml")
        check_age(calibration, found.today, VALID_DAYS)
        check_calibration(found.file, calibration)
        check_ports(calibration, found.ports)
        check_motors(calibration, found.motors)
        check_imu(calibration, found.imu)
    except CalibrationMismatch as error:
        return str(error)
    except ValueError as error:
        # Of another kind is only what the file's reader says, and that names the file.
        if not str(error).startswith("calibration.yaml"):
            raise
        return str(error)
    return ""


def sealed(document: dict[str, Any]) -> bytes:
    """A document under its right sum."""
    body = yaml.safe_dump(document, sort_keys=False).encode()
    return b"sha256: %b\n%b" % (hashlib.sha256(body).hexdigest().encode(), body)


def _document() -> dict[str, Any]:
    return msgspec.to_builtins(MEASURED)


def resealed() -> Found:
    """The same pair, its file written by the sweep's own hand: it must be believed too."""
    return replace(own(), text=sealed(_document()))


def _byte(found: Found, rng: Rng) -> Found:
    text = bytearray(found.text)
    text[rng.integers(len(text))] ^= int(rng.integers(1, 256))
    return replace(found, text=bytes(text))


def _cut(found: Found, rng: Rng) -> Found:
    return replace(found, text=found.text[: rng.integers(len(found.text))])


def _grown(found: Found, rng: Rng) -> Found:
    at = int(rng.integers(len(found.text) + 1))
    more = rng.integers(0, 256, int(rng.integers(1, 20)), dtype=np.uint8).tobytes()
    return replace(found, text=found.text[:at] + more + found.text[at:])


def _line(found: Found, rng: Rng) -> Found:
    lines = found.text.splitlines(keepends=True)
    at = int(rng.integers(len(lines)))
    kind = int(rng.integers(3))
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(at, lines[at])
    else:
        lines[at] = b"#" + lines[at]
    return replace(found, text=b"".join(lines))


def _number(found: Found, rng: Rng) -> Found:
    """A value edited by hand, under the old sum."""
    seal, body = found.text.split(b"\n", 1)
    lines = body.splitlines(keepends=True)
    numbers = [at for at, line in enumerate(lines) if line.strip()[-1:].isdigit()]
    at = int(rng.choice(numbers))
    stripped = lines[at].rstrip(b"\n")
    last = (int(stripped[-1:]) + int(rng.integers(1, 10))) % 10
    lines[at] = b"%b%d\n" % (stripped[:-1], last)
    return replace(found, text=seal + b"\n" + b"".join(lines))


def _unsealed(found: Found, rng: Rng) -> Found:
    body = found.text.split(b"\n", 1)[1]
    if rng.integers(2):
        body = body.replace(b"date: '2026-01-01'", b"date: nominal")
    return replace(found, text=body)


def _joint(found: Found, rng: Rng) -> tuple[dict[str, Any], dict[str, Any], str]:
    document = _document()
    name = str(rng.choice(list(document["joints"])))
    return document, document["joints"][name], name


def _resealed_joint(found: Found, rng: Rng) -> Found:
    """One value of a joint that the robot contradicts, under a right sum."""
    document, joint, name = _joint(found, rng)
    kind = int(rng.integers(8))
    if kind == 0:
        joint["motor_id"] = int(rng.integers(9, 127))
    elif kind == 1:
        joint["sign"] = -joint["sign"]
    elif kind == 2:
        joint["file_offset_rad"] += float(rng.choice((-1, 1))) * float(rng.uniform(1e-6, 3.0))
    elif kind == 3:
        joint["range_rad"] = [float(rng.uniform(0.52, 1.0)), 3.25]
    elif kind == 4:
        joint["range_rad"] = [0.35, float(rng.uniform(1.2, 3.08))]
    elif kind == 5:
        joint["device"]["serial"] = f"00000000-{rng.integers(2**31):08x}-00000000"
    elif kind == 6:
        joint["device"]["model"] = str(rng.integers(6, 100))
    else:
        document["joints"][f"{name}_{rng.integers(100)}"] = document["joints"].pop(name)
    return replace(found, text=sealed(document))


def _resealed_swap(found: Found, rng: Rng) -> Found:
    """Two joints taken for each other: ids alone, or all of them."""
    document = _document()
    a, b = (str(name) for name in rng.choice(list(document["joints"]), 2, replace=False))
    first, second = document["joints"][a], document["joints"][b]
    if rng.integers(2):
        document["joints"][a], document["joints"][b] = second, first
    else:
        first["motor_id"], second["motor_id"] = second["motor_id"], first["motor_id"]
    return replace(found, text=sealed(document))


def _resealed_whole(found: Found, rng: Rng) -> Found:
    """What the file says of itself and of the other devices, under a right sum."""
    document = _document()
    changes: list[Callable[[], object]] = [
        lambda: document.update(robot="claw"),
        lambda: document.update(robot=f"minitaur-{rng.integers(1000)}"),
        lambda: document.update(format=int(rng.choice((0, 1, 3, 4)))),
        lambda: document.pop("format"),
        lambda: document.update(date=f"2025-{rng.integers(1, 8):02d}-01"),
        lambda: document.update(date=f"20{rng.integers(27, 99)}-01-01"),
        lambda: document.update(date="today"),
        lambda: document["imu"].update(serial=str(rng.integers(10**8))),
        lambda: document["imu"].update(model="HI14"),
        lambda: document.update(imu=None),
        lambda: document["ports"].update(legs=f"LEGS{rng.integers(2, 9999):04d}"),
        lambda: document["ports"].pop("imu"),
        lambda: document["ports"].update(arm="ARM00001"),
        lambda: document["evidence"].pop(str(rng.choice(("joints", "imu")))),
        lambda: document.update(evidence={}),
        lambda: document.update({f"key{rng.integers(1000)}": 1}),
        lambda: document.update(imu_mounting=[float(v) for v in rng.uniform(1.0, 2.0, 4)]),
        lambda: document.update(gyro_bias_rad_s=[float("nan"), 0.0, 0.0]),
        lambda: document["latency"]["bus"].update(p50_s=1.0),
    ]
    changes[int(rng.integers(len(changes)))]()
    return replace(found, text=sealed(document))


def _robot_file(found: Found, rng: Rng) -> Found:
    """Another robot file than the one that was calibrated with."""
    file, structs = found.file, msgspec.structs
    name = str(rng.choice(list(file.motors)))
    motor, kind = file.motors[name], int(rng.integers(6))
    motors = dict(file.motors)
    if kind == 0:
        motors[name] = structs.replace(motor, direction=-motor.direction)
    elif kind == 1:
        motors[name] = structs.replace(motor, offset_rad=float(rng.uniform(1e-6, 3.0)))
    elif kind == 2:
        motors[name] = structs.replace(motor, id=int(rng.integers(9, 127)))
    elif kind == 3:
        motors[f"{name}_2"] = motors.pop(name)
    elif kind == 4:
        low = structs.replace(file.limits, lower_rad=float(rng.uniform(-3.0, 0.33)))
        return replace(found, file=structs.replace(file, limits=low))
    else:
        return replace(found, file=structs.replace(file, name=f"robot{rng.integers(1000)}"))
    return replace(found, file=structs.replace(file, motors=motors))


def _devices(found: Found, rng: Rng) -> Found:
    """Another device than the one that was calibrated."""
    kind, motors = int(rng.integers(6)), dict(found.motors)
    name = str(rng.choice(list(motors)))
    if kind == 0:
        motors[name] = DeviceTag(model="5", serial=f"{rng.integers(2**31):08x}-0-0")
    elif kind == 1:
        other = str(rng.choice([joint for joint in motors if joint != name]))
        motors[name], motors[other] = motors[other], motors[name]
    elif kind == 2:
        motors[name] = DeviceTag(model="7", serial=motors[name].serial)
    elif kind == 3:
        return replace(found, imu=DeviceTag(model="VN-100", serial=str(rng.integers(10**8))))
    elif kind == 4:
        port, serial = str(rng.choice(("legs", "imu"))), f"OTHER{rng.integers(10**4)}"
        return replace(found, ports={**found.ports, port: None if rng.integers(2) else serial})
    else:
        return replace(found, ports={"legs": found.ports["imu"], "imu": found.ports["legs"]})
    return replace(found, motors=motors)


def _day(found: Found, rng: Rng) -> Found:
    """It has become stale, or the clock is wrong."""
    days = int(rng.integers(181, 4000)) if rng.integers(2) else -int(rng.integers(2, 4000))
    return replace(found, today=datetime.date(2026, 1, 1) + datetime.timedelta(days))


MUTATIONS: dict[str, Callable[[Found, Rng], Found]] = {
    "file: a byte": _byte,
    "file: cut off": _cut,
    "file: bytes put in": _grown,
    "file: a line": _line,
    "file: a number by hand": _number,
    "file: without its sum": _unsealed,
    "file, right sum: a joint": _resealed_joint,
    "file, right sum: two joints": _resealed_swap,
    "file, right sum: the rest": _resealed_whole,
    "robot: its file": _robot_file,
    "robot: a device": _devices,
    "robot: the day": _day,
}


def sweep(mutations: int, seed: int) -> tuple[Counter[str], Counter[str], list[str]]:
    """How many of each kind were made, how many refused, and those that were not, in words."""
    made, refused, believed = Counter[str](), Counter[str](), list[str]()
    kinds, start = list(MUTATIONS), own()
    for number in range(mutations):
        rng = np.random.default_rng([seed, number])
        kind = kinds[number % len(kinds)]
        made[kind] += 1
        if refusal(MUTATIONS[kind](start, rng)):
            refused[kind] += 1
        else:
            believed.append(f"{kind}, seed {seed}, number {number}")
    return made, refused, believed


def main(arguments: list[str] | None = None) -> int:
    """Run the sweep; 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    unchanged = refusal(own()) or refusal(resealed())
    made, refused, believed = sweep(options.mutations, options.seed)
    for kind in MUTATIONS:
        say(f"{kind:28} refused {refused[kind]:5d} of {made[kind]:5d}")
    say(f"{'all':28} refused {refused.total():5d} of {made.total():5d}")
    say(f"{'unchanged':28} {'refused: ' + unchanged if unchanged else 'believed'}")
    for line in believed:
        say(f"BELIEVED: {line}")
    return 1 if unchanged or believed else 0


if __name__ == "__main__":
    sys.exit(main())
