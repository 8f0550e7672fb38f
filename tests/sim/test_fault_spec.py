"""Faults as text: every form there is, and one clear sentence for every other."""

import math
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.fault_spec import (
    AMOUNTS,
    KINDS,
    Fault,
    FaultSpecError,
    Kind,
    Part,
    Target,
    parse_faults,
)
from sim.wire import Direction


def test_the_example_of_the_manual() -> None:
    assert parse_faults("servo:12=off@3.0,imu=stuck,bus=drop:0.05+flip:0.01") == (
        Fault(Target(Part.SERVO, "12"), Kind.OFF, start=3.0),
        Fault(Target(Part.IMU), Kind.STUCK),
        Fault(Target(Part.BUS), Kind.DROP, 0.05),
        Fault(Target(Part.BUS), Kind.FLIP, 0.01),
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("bus:imu/to-host=late:0.1:0.03@1-2.5",
         Fault(Target(Part.BUS, "imu", Direction.TO_HOST), Kind.LATE, 0.1, 0.03, 1.0, 2.5)),
        ("bus/to-device=split:0.5",
         Fault(Target(Part.BUS, None, Direction.TO_DEVICE), Kind.SPLIT, 0.5, 0.002)),
        ("bus=wrong-id:once@4", Fault(Target(Part.BUS), Kind.WRONG_ID, 1.0, start=4.0, once=True)),
        ("bus=late:once:0.3", Fault(Target(Part.BUS), Kind.LATE, 1.0, 0.3, once=True)),
        ("servo=intermittent:0.7", Fault(Target(Part.SERVO), Kind.INTERMITTENT, 0.7)),
        ("servo:3=wrong", Fault(Target(Part.SERVO, "3"), Kind.WRONG, 0.5)),
        ("imu=wrong:-0.2", Fault(Target(Part.IMU), Kind.WRONG, -0.2)),
        ("camera=delayed:0.5", Fault(Target(Part.CAMERA), Kind.DELAYED, 0.5)),
        ("bus=unplug@2-3", Fault(Target(Part.BUS), Kind.UNPLUG, start=2.0, end=3.0)),
        ("bus=brownout:9", Fault(Target(Part.BUS), Kind.BROWNOUT, 9.0)),
    ],
)  # fmt: skip
def test_one_of_each_form(text: str, fault: Fault) -> None:
    assert parse_faults(text) == (fault,)


def test_nothing_is_no_fault() -> None:
    assert parse_faults("") == parse_faults(" , ") == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("motor=off", "servo, imu, camera, bus"),
        ("servo", "TARGET=KIND"),
        ("servo=", "TARGET=KIND"),
        ("servo=drop:0.1", "a servo can be off, stuck"),
        ("servo:left=off", "by its number"),
        ("servo:=off", "servo:ID"),
        ("imu:2=off", "servo:ID and bus:PORT"),
        ("servo/to-host=off", "only a bus has directions"),
        ("bus/up=drop:1", "to-device and to-host"),
        ("bus/to-host=unplug", "can befall one direction"),
        ("bus=drop", "needs its probability"),
        ("bus=drop:1.5", "must be 0 to 1"),
        ("bus=drop:nan", "must be 0 to 1"),
        ("bus=drop:many", "no number"),
        ("bus=drop:0.1:2", "too many numbers"),
        ("bus=late:0.1:2:3", "too many numbers"),
        ("servo=off:1", "takes no number"),
        ("servo=off:once", "takes no number"),
        ("servo=off@-1", "no number"),
        ("servo=off@3-2", "after the start"),
        ("servo=off@", "no number"),
        ("bus=drop:0.1,bus=drop:0.2@3-5", "overlap"),
    ],
)
def test_a_mistake_is_told_with_what_is_valid(text: str, says: str) -> None:
    with pytest.raises(FaultSpecError) as raised:
        parse_faults(text)
    assert says in str(raised.value)


@given(st.text(string.ascii_lowercase + string.digits + "=:,+@-/. ", max_size=40))
def test_any_text_gives_faults_or_the_one_error(text: str) -> None:
    try:
        faults = parse_faults(text)
    except FaultSpecError:
        return
    for fault in faults:
        assert fault.kind in KINDS[fault.target.part]
        assert fault.start < fault.end


@given(
    st.sampled_from([(part, kind) for part in Part for kind in KINDS[part]]),
    st.integers(0, 1000).map(lambda n: n / 1000),
    st.integers(0, 100_000).map(lambda n: n / 1000),
)
def test_every_kind_of_every_part_can_be_written(
    which: tuple[Part, Kind], amount: float, start: float
) -> None:
    part, kind = which
    number = f":{amount}" if kind in AMOUNTS else ""
    (fault,) = parse_faults(f"{part.value}={kind.value}{number}@{start}")
    assert (fault.kind, fault.start, fault.end) == (kind, start, math.inf)
    assert fault.amount == (amount if number else 0.0)
