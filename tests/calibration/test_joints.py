"""Sign, zero and range of a joint from guided readings; what must be refused."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.errors import Undetermined
from calibration.joints import (
    DrawnJoint,
    EndlessJoint,
    GuidedJoint,
    JointResult,
    calibrate_endless,
    calibrate_joint,
    contradicted_signs,
    correction,
)

TURN = 2.0 * math.pi
DRAWN = DrawnJoint(-0.5, 0.7, 0.0)
RIG = replace(DRAWN, jig_rad=0.1)


def guided(
    sign: int = 1,
    middle: float = 3.0,
    low: float = -0.5,
    high: float = 0.7,
    jig: float | None = 0.1,
    turns: float = 0.0,
    wraps: bool = False,
) -> GuidedJoint:
    """Readings without noise: motor = middle + sign * joint, and whole turns."""

    def read(*joint: float) -> np.ndarray:
        angle = middle + sign * np.array(joint) + turns * TURN
        return angle % TURN if wraps else angle

    return GuidedJoint(
        "knee",
        read(*[low] * 20),
        read(*np.linspace(low, high, 60)),
        read(*[high] * 20),
        tuple(read(*np.linspace(at, at + 0.3, 20)) for at in (-0.2, 0.1)),
        None if jig is None else read(*[jig] * 20),
    )


def test_both_stops_make_the_zero() -> None:
    # Stops read 2.5 and 3.7 and are drawn at -0.5 and 0.7: the joint's zero reads 3.0.
    found = calibrate_joint(guided(), DRAWN)
    assert found.sign == 1
    assert found.zero_rad == pytest.approx(3.0, abs=1e-12)
    assert (found.lower_rad, found.upper_rad) == pytest.approx((-0.5, 0.7), abs=1e-12)
    assert found.misfit_rad == pytest.approx(0.0, abs=1e-12)
    assert found.turns == 0
    assert found.readings == 20 + 60 + 20 + 20 + 2 * 20


def test_a_motor_that_turns_the_other_way() -> None:
    # Stops read 3.5 and 2.3; angle = -reading - zero, so at the zero, which reads 3.0: zero = -3.0.
    found = calibrate_joint(guided(sign=-1), DRAWN)
    assert found.sign == -1
    assert found.zero_rad == pytest.approx(-3.0, abs=1e-12)


def test_stops_that_lie_elsewhere_are_measured_against_the_jig() -> None:
    # The jig says the zero; the stops are then found 0.01 and 0.02 rad inside the drawing's.
    found = calibrate_joint(guided(low=-0.49, high=0.68), RIG)
    assert found.zero_rad == pytest.approx(3.0, abs=1e-12)
    assert (found.lower_rad, found.upper_rad) == pytest.approx((-0.49, 0.68), abs=1e-12)
    assert found.misfit_rad == pytest.approx(0.02, abs=1e-12)


def test_both_stops_share_what_the_span_is_wrong_by() -> None:
    # 0.02 rad too short in all: 0.01 at either stop.
    found = calibrate_joint(guided(low=-0.5, high=0.68), DRAWN)
    assert found.zero_rad == pytest.approx(2.99, abs=1e-12)
    assert found.misfit_rad == pytest.approx(0.01, abs=1e-12)


@pytest.mark.parametrize("turns", [-3.0, 2.0])
def test_turns_counted_since_power_on_are_taken_out(turns: float) -> None:
    found = calibrate_joint(guided(turns=turns), RIG)
    assert found.turns == turns
    assert found.zero_rad == pytest.approx(3.0, abs=1e-9)


def test_a_motor_whose_reading_is_followed_over_its_wrap() -> None:
    # A moteus begins its turn at -pi: a range about 0 is whole there, though 0 to 2 pi wraps in it.
    drawn = replace(RIG, power_on_rad=-math.pi)
    found = calibrate_joint(guided(middle=0.2, wraps=True), drawn)
    assert found.zero_rad == pytest.approx(0.2, abs=1e-12)


def test_a_wrap_within_the_range_is_refused() -> None:
    with pytest.raises(
        Undetermined, match=r"joint knee: its encoder wraps .* after power comes on"
    ):
        calibrate_joint(guided(middle=0.2, wraps=True), RIG)
    kept = replace(RIG, power_on_rad=None)
    assert calibrate_joint(guided(middle=0.2, wraps=True), kept).zero_rad % TURN == pytest.approx(
        0.2
    )


def test_a_range_of_more_than_a_turn_is_refused() -> None:
    wide = DrawnJoint(-3.2, 3.2, 0.0)
    with pytest.raises(Undetermined, match="more than one turn"):
        calibrate_joint(guided(low=-3.2, high=3.2, jig=None), wide)


def spoilt(**parts: object) -> GuidedJoint:
    return replace(guided(), **parts)


GOOD = guided()


@pytest.mark.parametrize(
    ("joint", "says"),
    [
        (spoilt(lower=GOOD.lower[:19]), "lower stop: 19 readings"),
        (spoilt(upper=GOOD.upper * math.nan), "finite"),
        (spoilt(lower=GOOD.lower + np.linspace(0.0, 0.05, 20)), "while it should rest"),
        (spoilt(upward=np.linspace(2.5, 2.6, 30)), "ends 63.03 degrees from it"),
        (spoilt(upward=np.tile([2.5, 4.5], 20)), "either way round"),
        (
            spoilt(upward=np.interp(np.arange(90), (0, 40, 60, 89), (2.5, 3.5, 3.0, 3.7))),
            "went back",
        ),
        (spoilt(pushes=GOOD.pushes[:1]), "1 pushes"),
        (
            spoilt(pushes=(GOOD.pushes[0], GOOD.pushes[1][::-1])),
            "push 2 turned the motor the other",
        ),
        (
            spoilt(pushes=(GOOD.pushes[0], GOOD.pushes[1][:1].repeat(20))),
            "push 2: it moved by 0.00",
        ),
        (guided(high=0.4), "apart"),
        (guided(jig=0.3), "does the jig sit right"),
        (guided(jig=None), "the jig's readings are missing"),
        (
            spoilt(lower=GOOD.upper, upward=GOOD.upward[::-1], upper=GOOD.lower),
            "one of them was guided the wrong way",
        ),
    ],
)
def test_readings_that_do_not_tell_are_refused(joint: GuidedJoint, says: str) -> None:
    with pytest.raises(Undetermined, match=says) as caught:
        calibrate_joint(joint, RIG)
    assert str(caught.value).startswith("joint knee: ")


def test_drawings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="no range"):
        DrawnJoint(1.0, 0.0, None)


def test_a_joint_without_stops() -> None:
    # A valve: held at 0.25 it reads 14.0 on the way to greater angles, two whole turns counted.
    rest, push = np.full(20, 14.0), np.linspace(14.0, 14.5, 20)
    valve = EndlessJoint("valve", rest, (push, push + 6.0))
    found = calibrate_endless(valve, jig_rad=0.25, power_on_rad=0.0)
    assert (found.sign, found.turns) == (1, 2)
    assert found.zero_rad == pytest.approx(14.0 - 2 * TURN - 0.25)
    assert (found.lower_rad, found.upper_rad) == (-math.inf, math.inf)
    other = EndlessJoint("valve", rest, (push[::-1], push[::-1]))
    found = calibrate_endless(other, jig_rad=0.25, power_on_rad=0.0)
    assert found.sign == -1
    assert found.zero_rad == pytest.approx(-(14.0 - 2 * TURN) - 0.25)
    torn = EndlessJoint("valve", rest, (push, push[::-1]))
    with pytest.raises(Undetermined, match=r"valve: push 2 turned .* than push 1 did"):
        calibrate_endless(torn, 0.25, 0.0)
    for pushes, says in ((), "0 pushes"), ((push,), "1 pushes"):
        with pytest.raises(Undetermined, match=says):
            calibrate_endless(EndlessJoint("valve", rest, pushes), 0.25, 0.0)


def test_signs_that_contradict_the_twin_are_named() -> None:
    results = {
        "a": calibrate_joint(replace(guided(sign=-1), name="a"), DRAWN),
        "b": calibrate_joint(replace(guided(), name="b"), DRAWN),
    }
    assert contradicted_signs(results, {"a": 1, "b": 1}) == ["a"]


def test_the_correction_is_what_the_robot_adds() -> None:
    # joint = sign * motor - offset + correction, and the result says joint = sign * motor - zero.
    found = calibrate_joint(guided(), DRAWN)
    assert correction(found, 3.1415) == pytest.approx(0.1415)


@settings(max_examples=50)
@given(
    sign=st.sampled_from((-1, 1)),
    middle=st.floats(0.8, 5.4),
    turns=st.integers(-5, 5),
    wraps=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_horn_and_any_noise(
    sign: int, middle: float, turns: int, wraps: bool, seed: int
) -> None:
    """A tenth of a degree of noise on every reading moves the zero by less than that."""
    rng, clean = np.random.default_rng(seed), guided(sign, middle, turns=turns, wraps=wraps)

    def noisy(values: np.ndarray) -> np.ndarray:
        return values + math.radians(0.1) * rng.standard_normal(len(values))

    assert clean.jig is not None
    joint = GuidedJoint(
        "knee",
        noisy(clean.lower),
        noisy(clean.upward),
        noisy(clean.upper),
        tuple(map(noisy, clean.pushes)),
        noisy(clean.jig),
    )
    found: JointResult = calibrate_joint(joint, RIG)
    assert found.sign == sign
    assert abs(found.zero_rad - sign * middle) < math.radians(0.15)
