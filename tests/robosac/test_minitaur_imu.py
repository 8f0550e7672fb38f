"""The inertial sensor's faults: which stop the robot, which only let its samples grow old."""

from collections.abc import Sequence

import numpy as np
import pytest

import calibration
from drivers.hipnuc.port import HipnucPort
from drivers.imu import Imu
from drivers.vectornav.port import VectorNavPort
from robosac.connect import make_imu
from robosac.errors import RobotError
from robosac.estop import EStopGate
from robosac.executor import Executor
from robosac.hal import Drive, JointCommand
from robosac.robots.inertial import Inertial
from robosac.robots.sections import Imu as ImuSection
from robosac.states import SafetyState
from sim.firmware.hipnuc import ATTITUDE_NOT_CONVERGED
from sim.firmware.vectornav.sensor import Vn100
from sim.minitaur import MinitaurTwin, TwinOptions
from sim.wire import TwinWire
from tests.drivers.imu_rigs import HipnucRig, Rig, VectorNavRig, rotation
from tests.robosac.test_minitaur import build

NOMINAL = calibration.nominal("minitaur")
SAVE_AND_RESTART = b"$VNWNV*57\r\n$VNRST*4D\r\n"


class StickingVn100(Vn100):
    """A sensor that can be made to tell the same values for ever."""

    stuck: tuple[Sequence[float], ...] | None = None

    def sample(
        self,
        time_ns: int,
        quaternion_xyzw: Sequence[float],
        angular_velocity: Sequence[float],
        acceleration: Sequence[float],
    ) -> None:
        if self.stuck is not None:
            quaternion_xyzw, angular_velocity, acceleration = self.stuck
        self.last = (quaternion_xyzw, angular_velocity, acceleration)
        super().sample(time_ns, quaternion_xyzw, angular_velocity, acceleration)


def armed() -> tuple[MinitaurTwin, StickingVn100, Executor]:
    """A robot that holds its stance."""
    twin = MinitaurTwin(TwinOptions(), imu_type=StickingVn100)
    assert isinstance(twin.vn100, StickingVn100)
    executor = Executor(build(twin).robot, twin.clock, EStopGate())
    executor.arm()
    return twin, twin.vn100, executor


def tick(executor: Executor, seconds: float) -> SafetyState:
    """Hold the present position until the time is up or the robot is no longer driven."""
    here = executor.commanded_position
    for _ in range(round(seconds / executor.period)):
        if executor.safety not in (SafetyState.ACTIVE, SafetyState.HOLD):
            break
        executor.request(here)
        executor.tick()
    return executor.safety


def sense(inertial: Inertial, rig: Rig, drive: Drive = Drive.POSITION) -> tuple[float, list[str]]:
    """Age of the newest sample, s, and the faults, after one more period."""
    rig.wait(0.005)
    sample, faults = inertial.read(drive)
    age = float("inf") if sample is None else rig.now() - sample.time
    return age, [fault.name for fault in faults]


def test_a_frozen_sensor_latches_a_fault_that_arming_clears() -> None:
    _, sensor, executor = armed()
    assert tick(executor, 0.5) is SafetyState.ACTIVE
    sensor.stuck = sensor.last
    assert tick(executor, 0.6) is SafetyState.FAULT
    assert [latched.fault.name for latched in executor.faults] == ["imu_frozen"]
    sensor.stuck = None
    executor.clear("imu_frozen")
    executor.arm()
    assert tick(executor, 0.1) is SafetyState.ACTIVE


def test_a_sensor_that_restarts_latches_a_fault() -> None:
    twin, sensor, executor = armed()
    # The device's clock must have got somewhere to be seen to begin anew.
    assert tick(executor, 1.5) is SafetyState.ACTIVE
    sensor.receive(SAVE_AND_RESTART)
    twin.imu.device.transmit()
    assert tick(executor, 0.2) is SafetyState.FAULT
    assert "imu_restarted" in {latched.fault.name for latched in executor.faults}


def test_silence_holds_then_damps_and_latches_nothing() -> None:
    _, sensor, executor = armed()
    sensor.receive(b"$VNASY,0*XX\r\n")
    assert tick(executor, 0.1) is SafetyState.HOLD
    assert tick(executor, 0.3) is SafetyState.DAMPED
    assert not executor.faults


def test_an_unplugged_sensor_is_a_fault_and_comes_back_configured() -> None:
    twin, _, executor = armed()
    twin.imu.unplug()
    assert tick(executor, 0.1) is SafetyState.FAULT
    assert [latched.fault.name for latched in executor.faults] == ["imu_dead"]
    executor.clear("imu_dead")
    with pytest.raises(RobotError, match="unplugged; mend that"):
        executor.arm()
    executor.clear("exception")
    twin.imu.plug_in()
    executor.arm()
    assert tick(executor, 0.1) is SafetyState.ACTIVE


def test_a_sensor_that_has_not_settled_is_not_believed_while_motors_push() -> None:
    rig = HipnucRig()
    inertial = Inertial(rig.imu, rig.wire.reopen, NOMINAL)
    inertial.configure()
    for _ in range(5):
        assert sense(inertial, rig) == (pytest.approx(0.0, abs=0.006), [])
    rig.sensor.status = ATTITUDE_NOT_CONVERGED
    ages = [sense(inertial, rig)[0] for _ in range(20)]
    assert ages[-1] > 0.09, "its samples must grow old, so that the robot holds and then damps"
    assert sense(inertial, rig, Drive.STOP) == (pytest.approx(0, abs=0.006), ["imu_unsettled"])
    rig.sensor.status = 0
    assert sense(inertial, rig)[0] == pytest.approx(0.0, abs=0.006)


def test_a_rate_that_was_not_kept_refuses_arming_but_stops_nothing() -> None:
    rig = VectorNavRig()
    inertial = Inertial(rig.imu, rig.wire.reopen, NOMINAL)
    inertial.configure()
    rig.every = 10
    for _ in range(300):
        assert sense(inertial, rig)[1] == []
    assert sense(inertial, rig, Drive.STOP)[1] == ["imu_off_rate"]


@pytest.mark.parametrize("make", [VectorNavRig, HipnucRig])
def test_either_sensor_tells_the_same_of_the_body(make: type[Rig]) -> None:
    rig = make()
    rig.noise = 1e-6
    # Nose up by 0.2 rad and right side down by 0.1 rad, in the aerospace order.
    rig.attitude, rig.rate = rotation(0.7, 0.2, 0.1), np.array([0.3, -0.2, 0.1])
    inertial = Inertial(rig.imu, rig.wire.reopen, NOMINAL)
    inertial.configure()
    for _ in range(5):
        sense(inertial, rig)
    sample, faults = inertial.read(Drive.POSITION)
    assert sample is not None
    assert not faults
    assert sample.roll == pytest.approx(0.1, abs=1e-3)
    assert sample.pitch == pytest.approx(-0.2, abs=1e-3)
    np.testing.assert_allclose(sample.angular_velocity, [0.3, 0.2, -0.1], atol=1e-3)
    assert sample.acceleration[2] == pytest.approx(9.8 * np.cos(0.2) * np.cos(0.1), abs=1e-2)


@pytest.mark.parametrize(
    ("section", "port"),
    [
        (ImuSection(kind="vn100", baud=921600), VectorNavPort),
        (ImuSection(kind="hi91", baud=460800), HipnucPort),
    ],
)
def test_the_robot_file_chooses_the_driver(section: ImuSection, port: type[Imu]) -> None:
    rig = HipnucRig()
    made = make_imu(section, TwinWire(rig.sensor, rig), rig.now)
    assert isinstance(made, port)
    if section.kind == "hi91":
        # 200 Hz need more than the factory's 115200 bit/s: the port must know the file's.
        Inertial(made, rig.wire.reopen, NOMINAL).configure()


def test_a_command_reaches_the_motors_whatever_the_sensor_does() -> None:
    twin, _, executor = armed()
    executor.disarm()
    twin.imu.unplug()
    rig = build(twin)
    state = rig.tick(JointCommand.stop(8))
    assert state.joints.valid.all()
    assert [fault.name for fault in state.faults] == ["imu_dead"]
