"""The turning task: its spaces, what an action means, how an episode goes."""

import math
from importlib import resources
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import robosac.tasks
from robosac.reasons import Reason
from robosac.states import SafetyState
from robosac.tasks.ends import EpisodeEnd
from robosac.tasks.turn_definitions import HOME, RANGE
from tests.robosac.turn_rig import FAITHFUL, QUICK, STILL, TurnRig, make_rig, quick

SHORT: dict[str, Any] = {"task.episode_steps": 5, **QUICK}


@pytest.mark.parametrize("name", robosac.tasks.CLAW_IDS)
def test_gymnasium_accepts_it(name: str) -> None:
    env = gymnasium.make(f"robosac.tasks:{name}", **SHORT)
    check_env(env.unwrapped, skip_render_check=True)
    env.close()


def test_gymnasium_accepts_robels_turn_from_pixels() -> None:
    rig = make_rig("claw-pixels", *quick(), "task.definition=robel-turn-fixed")
    check_env(rig.env, skip_render_check=True)
    assert rig.env.observation_space["state"].shape == (18,)  # type: ignore[index]
    rig.env.close()


def test_a_vector_tells_fingers_and_valve() -> None:
    rig = make_rig()
    observation, info = rig.env.reset(seed=3)
    angle = rig.twin.plant.valve_angle
    assert observation.shape == (20,)
    joints = rig.twin.plant.joint_position[:9]
    np.testing.assert_allclose(observation[:9] * RANGE, joints, atol=0.01)
    np.testing.assert_allclose(observation[18:], [math.sin(angle), math.cos(angle)], atol=0.01)
    assert info["angle_error"] == pytest.approx(-math.remainder(angle, math.tau), abs=0.01)


def test_a_picture_hides_the_valves_angle() -> None:
    rig = make_rig("claw-pixels")
    observation, _ = rig.env.reset(seed=3)
    assert observation["image"].shape == (32, 32, 3)
    assert observation["image"].std() > 20.0
    assert observation["state"].shape == (18,)
    assert rig.env.observation_space.contains(observation)


def test_the_picture_is_of_the_moment_and_tells_its_age() -> None:
    rig = make_rig("claw-pixels")
    before, _ = rig.env.reset(seed=3)
    ages, observation = [], before
    for _ in range(6):
        observation, _, _, _, info = rig.env.step(STILL)
        ages.append(info["frame_age_s"])
    assert min(ages) > 0.015
    assert max(ages) < 0.08
    assert not np.array_equal(observation["image"], before["image"])


def test_a_slow_cameras_picture_is_learned_from_once() -> None:
    """At 8 pictures a second some steps end with the picture that they began with."""
    rig = make_rig("claw-pixels", *quick(), "twin.camera.fps=8", "task.frame_age_s=0.2")
    before, _ = rig.env.reset(seed=3)
    news = []
    for _ in range(12):
        observation, _, _, _, info = rig.env.step(np.full(9, 0.3))
        changed = not np.array_equal(observation["image"], before["image"])
        assert info["rewarded"] == changed
        assert info["end"] is None
        assert math.isfinite(info["terms"]["distance"])
        news.append(changed)
        before = observation
    assert 8 <= sum(news) < 12


def test_joints_and_picture_each_tell_their_age() -> None:
    """The joints are those of the last tick; the picture is by its own time of exposure."""
    rig = make_rig("claw-pixels", *quick(), "twin.camera.latency_s=0.05")
    assert rig.twin.camera is not None
    device, exposed = rig.twin.camera.device, {}
    render = device._render

    def rendered(time: float) -> Any:
        picture = render(time)
        exposed[picture.tobytes()] = time
        return picture

    device._render = rendered
    rig.env.reset(seed=3)
    for _ in range(5):
        observation, _, _, _, info = rig.env.step(np.full(9, 0.3))
        now = rig.env.ticks[-1].state.time
        age = now - exposed[observation["image"].tobytes()]
        assert info["frame_age_s"] == pytest.approx(age, abs=1e-6)
        assert info["frame_age_s"] >= 0.05
        assert 0.0 <= info["joint_age_s"] < rig.executor.period
    rig.twin.faults.silence(50, True)
    _, _, _, _, info = rig.env.step(STILL)
    assert info["end"] is EpisodeEnd.VALVE_LOST
    assert info["joint_age_s"] >= rig.executor.period


def test_episodes_begin_where_they_shall_with_the_valve_free() -> None:
    rig = make_rig("claw", *FAITHFUL)
    for seed in range(3):
        rig.env.reset(seed=seed)
        joints = rig.env.executor.state
        assert joints is not None
        np.testing.assert_allclose(joints.joints.position[:9], HOME, atol=math.radians(5))
        driving = joints.joints.driving
        assert driving[:9].all()
        assert not driving[9]
        assert rig.env.setup.operator_calls == 0


def test_starts_are_uniform() -> None:
    rig = make_rig("claw", *quick())
    errors = [rig.env.reset(seed=seed)[1]["angle_error"] for seed in range(12)]
    assert min(errors) < -1.5
    assert max(errors) > 1.5


def test_targets_run_ahead_of_their_joints_no_faster_than_a_servo_goes() -> None:
    rig = make_rig("claw", *FAITHFUL)
    rig.env.reset(seed=0)
    before = rig.twin.plant.joint_position[:9].copy()
    _, _, _, _, info = rig.env.step(np.ones(9))
    target = rig.env.ticks[-1].executed[:9]
    assert np.abs(target - before).max() <= 0.3 + 0.01
    np.testing.assert_array_equal(info["executed_action"], np.ones(9, np.float32))
    assert info["reasons"] & (Reason.POSITION | Reason.VELOCITY) == Reason.NONE


def test_an_action_of_rest_stays_where_the_fingers_are() -> None:
    rig = make_rig("claw", *FAITHFUL)
    rig.env.reset(seed=0)
    before = rig.twin.plant.joint_position[:9].copy()
    for _ in range(10):
        rig.env.step(STILL)
    np.testing.assert_allclose(rig.twin.plant.joint_position[:9], before, atol=0.06)


def test_an_absolute_action_of_rest_is_the_middle_of_every_range() -> None:
    rig = make_rig("claw", "task.action=absolute")
    rig.env.reset(seed=0)
    for _ in range(25):
        rig.env.step(STILL)
    state = rig.env.executor.state
    assert state is not None
    assert (np.abs(state.joints.position[:9]) < 0.6 * RANGE).all()


@pytest.mark.parametrize("kind", ["relative", "absolute"])
def test_an_action_leads_to_the_targets_it_was_made_for(kind: str) -> None:
    rig = make_rig("claw", *FAITHFUL, f"task.action={kind}")
    rig.env.reset(seed=0)
    for _ in range(30):
        rig.env.step(rig.env.action_to(0.8 * HOME))
    state = rig.env.executor.state
    assert state is not None
    np.testing.assert_allclose(state.joints.position[:9], 0.8 * HOME, atol=0.05)


def limited_rig(folder: Path, before: str, after: str) -> TurnRig:
    """A hand whose robot file says `after` where the nominal one says `before`."""
    nominal = (resources.files("robosac.robots") / "claw.yaml").read_text()
    assert before in nominal
    slow = folder / "slow.yaml"
    slow.write_text(nominal.replace(before, after))
    return make_rig("claw", *FAITHFUL, f"robot.file={slow}", "task.reset.valve_speed_rad_s=1.0")


def test_what_the_limiter_changed_is_what_was_executed(tmp_path: Path) -> None:
    rig = limited_rig(tmp_path, "velocity_rad_s: 8.0", "velocity_rad_s: 2.0")
    rig.env.reset(seed=0)
    assert rig.env.executor.state is not None
    before = rig.env.executor.state.joints.position[:9]
    _, _, _, _, info = rig.env.step(np.ones(9))
    assert info["reasons"] & Reason.VELOCITY
    executed = (rig.env.ticks[-1].executed[:9] - before) / 0.3
    assert (executed < 0.9).all()
    np.testing.assert_allclose(info["executed_action"], executed, atol=1e-6)


def test_a_limited_joint_does_not_change_what_the_others_executed(tmp_path: Path) -> None:
    base = "base: {lower_rad: -0.44, upper_rad: 0.5, velocity_rad_s: "
    rig = limited_rig(tmp_path, f"{base}8.0", f"{base}2.0")
    rig.env.reset(seed=0)
    _, _, _, _, info = rig.env.step(np.ones(9))
    assert info["reasons"] & Reason.VELOCITY
    bases, executed = np.arange(9) % 3 == 0, info["executed_action"]
    assert (executed[bases] < 0.9).all()
    np.testing.assert_array_equal(executed[~bases], 1.0)


def test_a_joint_that_starts_late_but_gets_there_went_where_it_was_asked_to(tmp_path: Path) -> None:
    rig = limited_rig(tmp_path, "acceleration_rad_s2: 2000.0", "acceleration_rad_s2: 250.0")
    rig.env.reset(seed=0)
    _, _, _, _, info = rig.env.step(np.ones(9))
    assert info["reasons"] & Reason.ACCELERATION, "the limiter acted"
    np.testing.assert_array_equal(info["executed_action"], 1.0)


def test_time_runs_out() -> None:
    rig = make_rig("claw", "task.episode_steps=4")
    rig.env.reset(seed=0)
    _, info, infos = rig.until_end()
    assert len(infos) == 4
    assert info["end"] is EpisodeEnd.TRUNCATED
    assert info["rewarded"]
    assert rig.env.executor.safety is SafetyState.DISARMED
    with pytest.raises(gymnasium.error.ResetNeeded):
        rig.env.step(STILL)


def test_the_reward_is_of_the_valve_now() -> None:
    rig = make_rig()
    rig.env.reset(seed=1)
    _, reward, _, _, info = rig.env.step(STILL)
    assert info["terms"]["distance"] == pytest.approx(-2.0 * abs(info["angle_error"]))
    assert reward == pytest.approx(sum(info["terms"].values()))
    assert info["success"] == (abs(info["angle_error"]) < 0.1)


def test_the_valves_servo_tells_the_reward_and_no_picture_knows() -> None:
    rig = make_rig("claw-pixels", *quick())
    rig.env.reset(seed=1)
    true = rig.env.step(STILL)[4]["angle_error"]
    rig.twin.faults.skew(50, 0.2)
    observation, _, _, _, info = rig.env.step(STILL)
    assert info["angle_error"] == pytest.approx(true - 0.2, abs=0.01)
    assert info["terms"]["distance"] == pytest.approx(-2.0 * abs(info["angle_error"]))
    assert observation["state"].shape == (18,), "fingers alone"


def test_success_is_where_the_coloured_end_points_right() -> None:
    rig = make_rig()
    rig.env.reset(seed=1)
    rig.twin.plant.reset(HOME, 0.03)
    _, _, _, _, info = rig.env.step(STILL)
    assert info["success"]


def test_equal_seeds_equal_bits() -> None:
    def digest() -> list[bytes]:
        rig = make_rig("claw-pixels", "task.episode_steps=6")
        rng = np.random.default_rng(0)
        found: list[bytes] = []
        for seed in (5, 6):
            observation, _ = rig.env.reset(seed=seed)
            for _ in range(6):
                found += [observation["image"].tobytes(), observation["state"].tobytes()]
                observation, reward, *_ = rig.env.step(rng.uniform(-1, 1, 9))
                found.append(np.float64(reward).tobytes())
        return found

    assert digest() == digest()


def test_an_episode_does_not_depend_on_those_before() -> None:
    """What makes a resumed run the run that was never killed."""
    fresh, used = make_rig(), make_rig()
    used.env.reset(seed=1)
    used.until_end(120)
    for rig in (fresh, used):
        rig.env.reset(seed=2)
        for _ in range(3):
            rig.env.step(np.full(9, 0.5))
    states = [rig.env.executor.state for rig in (fresh, used)]
    assert states[0] is not None
    assert states[1] is not None
    np.testing.assert_array_equal(states[0].joints.position, states[1].joints.position)
