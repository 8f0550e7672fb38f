"""Each contender that is installed: it keeps what it is given and does what it is timed for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from robosac.peers.catalogue import IN_BFLOAT16, LEARNERS, NATIVE, OURS, REPLAYS, make
from robosac.peers.contender import Case, transitions
from robosac.peers.ours import OurLearner, OurReplay
from robosac.peers.plain import PlainLearner
from robosac.replay import Batch
from robosac.sac import Sac, SacSettings
from robosac.sac.native.compiler import has_tiles
from tests.robosac.native_rig import library_or_skip
from tests.robosac.peers.peers_rig import PICTURES, TINY

MODULES = {peer.name: peer.module for peer in (*LEARNERS, *REPLAYS)}


def installed_or_skipped(name: str) -> None:
    if name == NATIVE:
        library_or_skip()
    if name.endswith(IN_BFLOAT16) and not has_tiles():
        pytest.skip("no unit for products in bfloat16")
    if MODULES[name]:
        pytest.importorskip(MODULES[name])


@pytest.mark.parametrize("name", [peer.name for peer in LEARNERS])
def test_a_learner_is_filled_and_makes_updates(name: str) -> None:
    installed_or_skipped(name)
    learner = make("learner", name, TINY)
    learner.fill(transitions(TINY))
    learner.run(3)
    floats = 2 * TINY.observation + TINY.action + 1
    # Beside the floats at most what tells how the episode ended.
    assert 4 * floats < learner.transition_bytes() <= 4 * floats + 12


@pytest.mark.parametrize("name", [peer.name for peer in REPLAYS])
@pytest.mark.parametrize("case", [TINY, PICTURES], ids=lambda case: case.name)
def test_a_replay_is_filled_and_drawn_from(name: str, case: Case) -> None:
    installed_or_skipped(name)
    replay = make("replay", name, case)
    replay.fill(transitions(case))
    replay.run(2)
    if case.side and name == OURS:
        # A frame once, and room for a twentieth more.
        assert replay.transition_bytes() < 1.5 * PICTURES.side**2 * 3


def test_our_replay_holds_what_it_was_filled_with() -> None:
    ours = OurReplay(TINY)
    ours.fill(transitions(TINY))
    batch = ours.sample()
    given = np.concatenate([rows.reward for rows in transitions(TINY)])
    assert len(ours.replay) == TINY.rows
    assert len(batch.reward) == TINY.batch
    assert np.isin(batch.reward, given).all()


def test_our_learner_learns() -> None:
    ours = OurLearner(TINY)
    ours.fill(transitions(TINY))
    before = ours.agent.critics.weights["weight0"].clone()
    ours.run(5)
    assert ours.agent.updates == 5
    assert not torch.equal(ours.agent.critics.weights["weight0"], before)


def weights_of(plain: PlainLearner) -> torch.Tensor:
    modules = [plain.actor, *plain.critics, *plain.targets]
    return torch.cat([p.detach().flatten() for each in modules for p in each.parameters()])


def copied(plain: PlainLearner, agent: Sac) -> None:
    """Give the plain networks the weights of ours."""
    ensembles = ((plain.critics, agent.critics), (plain.targets, agent.target_critics))
    with torch.no_grad():
        for modules, ensemble in ensembles:
            for index, module in enumerate(modules):
                parts = [part[index] for part in ensemble.weights.values()]
                for parameter, part in zip(module.parameters(), parts, strict=True):
                    parameter.copy_(part.T if part.shape[0] > 1 else part[0])
        parts = list(agent.policy_network.weights.values())
        for parameter, part in zip(plain.actor.parameters(), parts, strict=True):
            parameter.copy_(part.T if part.shape[0] > 1 else part[0])


def test_the_plain_update_moves_every_weight_as_ours_does(monkeypatch: pytest.MonkeyPatch) -> None:
    case, rng = TINY, np.random.default_rng(3)
    agent = Sac(SacSettings(hidden_units=case.hidden), case.observation, case.action, seed=1)
    plain, copy = PlainLearner(case), PlainLearner(case)
    copied(plain, agent)
    start = weights_of(plain)
    for _ in range(3):
        shapes = ((case.observation,), (case.action,), (), (case.observation,))
        arrays = [rng.uniform(-1, 1, (case.batch, *shape)).astype(np.float32) for shape in shapes]
        arrays.append(rng.integers(0, 2, case.batch).astype(np.float32))
        noise = torch.randn(2 * case.batch, case.action)
        monkeypatch.setattr(agent, "_gaussian_noise", lambda _, noise=noise: noise)
        drawn = iter([noise[case.batch :], noise[: case.batch]])
        monkeypatch.setattr(
            "torch.distributions.normal._standard_normal", lambda *_, drawn=drawn, **__: next(drawn)
        )
        monkeypatch.setattr(plain, "sample", lambda arrays=arrays: list(map(torch.tensor, arrays)))
        agent.update(Batch(*arrays))
        plain.update()
    copied(copy, agent)
    moved, expected = weights_of(plain) - start, weights_of(copy) - start
    assert moved.norm() > 0.01
    assert (moved - expected).norm() < 0.02 * expected.norm()
    assert plain.log_alpha.item() == pytest.approx(
        float(agent.state()["log_alpha.parameters"][0]), abs=1e-5
    )


def test_a_name_that_nobody_has_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"no learner is called 'nobody'.*robosac"):
        make("learner", "nobody", TINY)
