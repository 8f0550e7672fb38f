"""The quadruped through the twin's bytes: the contract, and what can go wrong on a bus."""

import msgspec
import numpy as np
import pytest

import calibration
from calibration import Calibration, JointCalibration
from drivers.errors import BusTimeout, WireClosed
from drivers.moteus import MoteusBus
from drivers.vectornav.port import VectorNavPort
from robosac.errors import CalibrationMismatch, RobotError
from robosac.hal import JointCommand
from robosac.robots.minitaur import Devices, Minitaur
from robosac.robots.robot_file import RobotFile, load_robot_file
from sim.minitaur import MinitaurTwin, SensorNoise, TwinOptions
from tests.robosac.robot_contract import Rig, RobotContract

QUIET = TwinOptions(noise=SensorNoise(0, 0, 0, 0, 0), sensor_latency_s=0.0)


def nominal() -> tuple[RobotFile, Calibration]:
    return load_robot_file(None, "minitaur"), calibration.nominal("minitaur")


def build(
    twin: MinitaurTwin, file: RobotFile | None = None, measured: Calibration | None = None
) -> Rig:
    drawn, as_drawn = nominal()
    file = file or drawn
    ids = [motor.id for motor in file.motors.values()]
    now = twin.clock.now
    devices = Devices(
        MoteusBus(twin.legs, ids, now),
        VectorNavPort(twin.imu, now),
        twin.imu.reopen,
        twin.tracker,
    )
    return Rig(Minitaur(file, measured or as_drawn, devices, now), twin.clock)


class TestMinitaur(RobotContract):
    @pytest.fixture
    def rig(self) -> Rig:
        return build(MinitaurTwin(QUIET))


def test_joint_angles_are_those_of_the_plant() -> None:
    twin = MinitaurTwin(QUIET)
    rig = build(twin)
    rig.robot.configure()
    state = rig.hold(40)
    np.testing.assert_allclose(state.joints.position, twin.plant.joint_position, atol=0.02)
    assert state.imu is not None
    assert state.imu.tilt < 0.02
    assert state.imu.acceleration[2] == pytest.approx(9.81, abs=0.5)


def test_offsets_and_their_correction_cancel() -> None:
    file, measured = nominal()
    name = "front_left_front"
    moved = msgspec.structs.replace(
        file,
        motors={**file.motors, name: msgspec.structs.replace(file.motors[name], offset_rad=0.3)},
    )
    wrong = build(MinitaurTwin(QUIET), moved)
    right = build(
        MinitaurTwin(QUIET),
        moved,
        msgspec.structs.replace(
            measured,
            joints={
                **measured.joints,
                name: JointCalibration(motor_id=1, offset_correction_rad=0.3),
            },
        ),
    )
    as_drawn = build(MinitaurTwin(QUIET))
    positions = []
    for rig in (wrong, right, as_drawn):
        rig.robot.configure()
        positions.append(rig.tick(JointCommand.stop(8)).joints.position)
    assert positions[0][0] == pytest.approx(positions[2][0] - 0.3, abs=1e-3)
    np.testing.assert_allclose(positions[1], positions[2], atol=1e-3)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"robot": "claw"}, "claw"),
        ({"joints": {}}, "joints"),
    ],
)
def test_another_robots_calibration_is_refused(change: dict[str, object], says: str) -> None:
    measured = msgspec.structs.replace(nominal()[1], **change)
    with pytest.raises(CalibrationMismatch, match=says):
        build(MinitaurTwin(QUIET), measured=measured)


def test_a_calibration_of_another_motor_is_refused() -> None:
    measured = nominal()[1]
    swapped = {**measured.joints, "front_left_front": JointCalibration(motor_id=9)}
    with pytest.raises(CalibrationMismatch, match="motor 9"):
        build(MinitaurTwin(QUIET), measured=msgspec.structs.replace(measured, joints=swapped))


def test_a_missing_motor_is_named() -> None:
    file, measured = nominal()
    motors = {**file.motors}
    motors["back_right_rear"] = msgspec.structs.replace(motors["back_right_rear"], id=60)
    joints = {**measured.joints, "back_right_rear": JointCalibration(motor_id=60)}
    rig = build(
        MinitaurTwin(QUIET),
        msgspec.structs.replace(file, motors=motors),
        msgspec.structs.replace(measured, joints=joints),
    )
    with pytest.raises(RobotError, match="back_right_rear"):
        rig.robot.configure()


def test_an_unplugged_bus_is_a_fault_and_its_values_grow_old() -> None:
    twin = MinitaurTwin(QUIET)
    rig = build(twin)
    rig.robot.configure()
    held = rig.hold(20)
    twin.legs.unplug()
    state = rig.tick(JointCommand.to(held.joints.position, rig.robot.limits.torque))
    assert [fault.name for fault in state.faults] == ["bus_dead"]
    assert not state.joints.valid.any()
    np.testing.assert_array_equal(state.joints.time, held.joints.time)
    assert not rig.robot.stop()


def test_silence_trips_the_watchdog_which_latches() -> None:
    rig = build(MinitaurTwin(QUIET))
    rig.robot.configure()
    held = rig.hold(20)
    rig.clock.wait_until(rig.clock.now() + 0.2)
    command = JointCommand.to(held.joints.position, rig.robot.limits.torque)
    state = rig.tick(command)
    state = rig.tick(command)
    assert {fault.name for fault in state.faults} == {"motor_watchdog"}
    assert len(state.faults) == 8
    rig.robot.stop()
    assert not rig.tick(JointCommand.stop(8)).faults


def test_an_overheated_motor_is_cut_off_and_named() -> None:
    rig = build(MinitaurTwin(QUIET))
    rig.robot.configure()
    held = rig.hold(20)
    # The operator holds the body down while the legs push against the floor: every motor stalls.
    command = JointCommand.to(held.joints.position + 0.9, np.full(8, 5.0))
    state, ticks = held, 0
    while not state.faults:
        state = rig.tick(command)
        ticks += 1
    assert {fault.name for fault in state.faults} == {"motor_fault"}
    assert "38" in state.faults[0].detail
    # 1.0 s above 2.45 N m (Tan et al. 2018), and what the sensors and the reply take.
    assert 1.0 <= ticks * rig.period < 1.1
    rig.robot.stop()


def test_configuring_leaves_the_noise_of_the_readings_alone() -> None:
    """How often a console is asked must not change the rest of an episode."""
    positions = []
    for asked in (1, 3):
        twin = MinitaurTwin(TwinOptions())
        rig = build(twin)
        rig.robot.configure()
        bus = MoteusBus(twin.legs, range(1, 9), twin.clock.now)
        for _ in range(asked):
            assert bus.configuration(3, ["servo.max_current_A"]) == {"servo.max_current_A": 100.0}
        positions.append(rig.hold(20).joints.position)
    np.testing.assert_array_equal(positions[0], positions[1])


def test_a_console_order_works_from_where_the_motor_is() -> None:
    twin = MinitaurTwin(QUIET)
    told = build(twin).tick(JointCommand.stop(8)).joints.position
    twin.clock.wait_until(1.0)
    moved = twin.plant.joint_position[4] - told[4]
    assert abs(moved) > 0.005, "its limp legs are to sink meanwhile"
    bus = MoteusBus(twin.legs, range(1, 9), twin.clock.now)
    console = bytes([0x40, 1, 10]) + b"d exact 0\n"
    twin.legs.write(b"can send 8005 " + (console + b"\x50" * 3).hex().encode() + b"\n")
    twin.legs.drain()
    assert bus.read(5, 0x001) == pytest.approx(0.0, abs=1e-6)


def test_an_unplugged_bus_is_opened_and_set_up_anew() -> None:
    twin = MinitaurTwin(QUIET)
    rig = build(twin)
    rig.robot.configure()
    held = rig.hold(20)
    twin.legs.unplug()
    rig.tick(JointCommand.to(held.joints.position, rig.robot.limits.torque))
    with pytest.raises(RobotError, match="unplugged; mend that, then arm again"):
        rig.robot.configure()
    assert not rig.robot.stop()
    twin.legs.plug_in()
    assert rig.robot.stop(), "torque must be read back as off over the new opening"
    rig.robot.configure()
    assert not rig.hold(20).faults


def test_a_closed_robot_opens_nothing() -> None:
    twin = MinitaurTwin(QUIET)
    rig = build(twin)
    rig.robot.configure()
    rig.robot.close()
    assert not rig.robot.stop()
    assert not rig.robot.stop()
    with pytest.raises(WireClosed):
        twin.legs.drain()


def test_whatever_fails_to_close_the_rest_is_closed() -> None:
    twin = MinitaurTwin(QUIET)

    def refuse() -> None:
        raise BusTimeout("the tracker's thread has not come back")

    now = twin.clock.now
    imu = VectorNavPort(twin.imu, now)
    bus = MoteusBus(twin.legs, range(1, 9), now)
    devices = Devices(bus, imu, twin.imu.reopen, twin.tracker, refuse)
    robot = Minitaur(*nominal(), devices, now)
    with pytest.raises(RobotError, match="does not let go"):
        robot.close()
    for wire in (twin.legs, twin.imu):
        with pytest.raises(WireClosed):
            wire.drain()
