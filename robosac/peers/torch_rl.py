"""TorchRL's SAC loss over its own replay buffer, as a contender."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from robosac.peers.contender import Case, Rows

LEARNING_RATE, DISCOUNT, SMOOTHING = 3e-4, 0.99, 0.005


class TorchRl:
    """SACLoss, SoftUpdate and one Adam for everything, put together as its documentation does."""

    def __init__(self, case: Case) -> None:
        from torchrl.data import (  # pyright: ignore[reportMissingImports]
            LazyTensorStorage,
            TensorDictReplayBuffer,
        )
        from torchrl.objectives import SACLoss, SoftUpdate  # pyright: ignore[reportMissingImports]

        torch.manual_seed(0)
        self._rows = case.rows
        self._buffer = TensorDictReplayBuffer(
            storage=LazyTensorStorage(case.rows), batch_size=case.batch
        )
        self._loss = SACLoss(
            actor_network=_actor(case),
            qvalue_network=_critic(case),
            num_qvalue_nets=2,
            loss_function="l2",
            delay_actor=False,
            delay_qvalue=True,
            action_spec=_action_spec(case),
        )
        self._loss.make_value_estimator(gamma=DISCOUNT)
        self._targets = SoftUpdate(self._loss, tau=SMOOTHING)
        self._adam = torch.optim.Adam(self._loss.parameters(), lr=LEARNING_RATE)

    def fill(self, rows: Iterable[Rows]) -> None:
        """See `robosac.peers.contender.Contender`."""
        from tensordict import TensorDict  # pyright: ignore[reportMissingImports]

        for some in rows:
            count = len(some.reward)
            going_on = torch.zeros(count, 1, dtype=torch.bool)
            following = {
                "observation": torch.as_tensor(some.next_observation),
                "reward": torch.as_tensor(some.reward).unsqueeze(1),
                "done": going_on,
                "terminated": going_on,
            }
            row = {
                "observation": torch.as_tensor(some.observation),
                "action": torch.as_tensor(some.action),
                "next": following,
            }
            self._buffer.extend(TensorDict(row, batch_size=[count]))

    def run(self, count: int) -> None:
        """See `robosac.peers.contender.Contender`."""
        for _ in range(count):
            losses = self._loss(self._buffer.sample())
            total = losses["loss_actor"] + losses["loss_qvalue"] + losses["loss_alpha"]
            self._adam.zero_grad()
            total.backward()
            self._adam.step()
            self._targets.step()

    def transition_bytes(self) -> int:
        """See `robosac.peers.contender.Contender`."""
        held = self._buffer[:].values(include_nested=True, leaves_only=True)
        return -(-sum(part.numel() * part.element_size() for part in held) // self._rows)


def _action_spec(case: Case) -> Any:
    from torchrl.data import Bounded  # pyright: ignore[reportMissingImports]

    return Bounded(low=-1.0, high=1.0, shape=(case.action,), dtype=torch.float32)


def _actor(case: Case) -> Any:
    from tensordict.nn import TensorDictModule  # pyright: ignore[reportMissingImports]
    from torch import nn
    from torchrl.modules import (  # pyright: ignore[reportMissingImports]
        MLP,
        NormalParamExtractor,
        ProbabilisticActor,
        TanhNormal,
    )

    network = MLP(
        in_features=case.observation, out_features=2 * case.action,
        num_cells=list(case.hidden), activation_class=nn.ReLU,
    )  # fmt: skip
    return ProbabilisticActor(
        TensorDictModule(
            nn.Sequential(network, NormalParamExtractor()), ["observation"], ["loc", "scale"]
        ),
        in_keys=["loc", "scale"],
        spec=_action_spec(case),
        distribution_class=TanhNormal,
        distribution_kwargs={"low": -1.0, "high": 1.0},
        return_log_prob=False,
    )


def _critic(case: Case) -> Any:
    from torch import nn
    from torchrl.modules import MLP, ValueOperator  # pyright: ignore[reportMissingImports]

    network = MLP(
        in_features=case.observation + case.action, out_features=1,
        num_cells=list(case.hidden), activation_class=nn.ReLU,
    )  # fmt: skip
    return ValueOperator(network, in_keys=["action", "observation"])
