"""Facts of a healthy robot, for tests that make one of them wrong."""

from __future__ import annotations

import datetime
from pathlib import Path

import msgspec

import calibration
from calibration.record import Calibration, DeviceTag, Evidence, JointCalibration
from robosac.check.calibrated import CalibrationFacts
from robosac.check.motors import MotorBounds
from robosac.check.row import Row
from robosac.check.system import System
from robosac.robots.condition import MotorCondition

TODAY = datetime.date(2026, 6, 1)
BOUNDS = MotorBounds((13.0, 17.5), 80.0, 0.08)
SERIAL = "00000001-00000002-00000003"


def motor(number: int = 1, **changes: object) -> MotorCondition:
    """A healthy controller."""
    healthy = MotorCondition(
        joint=f"joint_{number}",
        id=number,
        model="4",
        serial=SERIAL,
        firmware="0.1.13",
        torque_on=False,
        voltage_v=15.5,
        temperature_c=30.0,
        watchdog_s=0.08,
    )
    return replaced(healthy, **changes)


def replaced(condition: MotorCondition, **changes: object) -> MotorCondition:
    """`condition` with other facts."""
    known = {name: getattr(condition, name) for name in MotorCondition.__dataclass_fields__}
    return MotorCondition(**(known | changes))  # type: ignore[arg-type]


def measured(date: str = "2026-05-20", robot: str = "minitaur") -> Calibration:
    """A calibration in which everything was measured."""
    nominal = calibration.nominal(robot)
    device = DeviceTag(model="4", serial=SERIAL)
    joints = {
        name: JointCalibration(motor_id=joint.motor_id, sign=1, file_offset_rad=0.0, device=device)
        for name, joint in nominal.joints.items()
    }
    evidence = {
        name: Evidence(samples=100, residuals={"rms_rad": 0.001}) for name in ("joints", "imu")
    }
    imu = DeviceTag(model="VN-100", serial="7")
    return msgspec.structs.replace(nominal, date=date, joints=joints, imu=imu, evidence=evidence)


def facts(found: Calibration | None = None, problem: str = "") -> CalibrationFacts:
    """What became of a file."""
    return CalibrationFacts("my.yaml", found, problem)


def by_name(rows: tuple[Row, ...]) -> dict[str, Row]:
    """Rows by their names, each of which stands once."""
    named = {row.name: row for row in rows}
    assert len(named) == len(rows)
    return named


class FakeSystem:
    """A root for /proc and /sys in a folder, with ordinary rights and two processors."""

    def __init__(self, folder: Path) -> None:
        self.proc, self.sysfs = folder / "proc", folder / "sys"
        self.limit("50", "unlimited")
        self.capabilities(0)
        for number in range(2):
            self.governor(number, "performance")

    def limit(self, priority: str, locked: str) -> None:
        """What `ulimit` tells."""
        rows = (
            ("Limit", "Soft Limit", "Hard Limit", "Units"),
            ("Max locked memory", locked, locked, "bytes"),
            ("Max realtime priority", priority, priority, ""),
        )
        lines = [f"{a:<26}{b:<21}{c:<21}{d:<10}" for a, b, c, d in rows]
        self._write(self.proc / "self/limits", "\n".join(lines) + "\n")

    def capabilities(self, mask: int) -> None:
        """Which are in effect."""
        self._write(self.proc / "self/status", f"Name:\tx\nCapEff:\t{mask:016x}\n")

    def governor(self, number: int, text: str) -> None:
        """Of one processor."""
        folder = self.sysfs / f"devices/system/cpu/cpu{number}/cpufreq"
        self._write(folder / "scaling_governor", text + "\n")

    def timer(self, port: str, milliseconds: int) -> None:
        """The latency timer of a tty."""
        folder = self.sysfs / "bus/usb-serial/devices" / port
        self._write(folder / "latency_timer", f"{milliseconds}\n")

    def hold(self, pid: int, name: str, device: Path) -> None:
        """Let a process have a device open."""
        folder = self.proc / str(pid) / "fd"
        folder.mkdir(parents=True)
        (folder / "3").symlink_to(device)
        self._write(self.proc / str(pid) / "comm", name + "\n")

    def system(self) -> System:
        """This computer, with those roots."""
        return System(proc=self.proc, sysfs=self.sysfs)

    @staticmethod
    def _write(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
