"""Who is compared, what each needs to be installed, and how to install it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import msgspec

from robosac.peers.contender import Case, Contender
from robosac.sac.native.compiler import has_tiles
from robosac.sac.settings import Products

UPDATES_PER_CALL = 20
"""Updates of one call of those who can make several at once."""
OURS = "robosac"
NATIVE = "robosac, native core"
IN_BFLOAT16 = ", bfloat16"
"""Behind the name of ours whose products of matrices are rounded so."""
REFERENCE = "stable-baselines3"
"""Speeds are told as so many times this one's; without it, as so many times the plain one's."""
PLAIN = "plain PyTorch"
VERSIONS = ("torch", "numpy", "stable-baselines3", "sbx-rl", "jax", "torchrl", "tensordict")
"""Distributions whose versions belong to the figures."""


class Peer(msgspec.Struct, frozen=True):
    """Somebody who takes part where it is installed."""

    name: str
    module: str = ""
    """What must be there to be imported; empty: comes with robosac."""
    distribution: str = ""
    """What to install."""
    needs_tiles: bool = False
    """Whether it takes part only on processors that multiply in bfloat16 (AMX)."""


_BASELINES = Peer(REFERENCE, "stable_baselines3", "stable-baselines3==2.9.2")
LEARNERS = (
    Peer(OURS),
    Peer(OURS + IN_BFLOAT16, needs_tiles=True),
    Peer(NATIVE),
    Peer(NATIVE + IN_BFLOAT16, needs_tiles=True),
    _BASELINES,
    Peer(PLAIN),
    Peer("SBX", "sbx", "sbx-rl==0.28.0"),
    Peer(f"SBX, {UPDATES_PER_CALL} a call", "sbx", "sbx-rl==0.28.0"),
    Peer("TorchRL", "torchrl", "torchrl==0.14.1"),
)
REPLAYS = (LEARNERS[0], _BASELINES)
INSTALL = "python -m pip install " + " ".join(
    dict.fromkeys(f"'{peer.distribution}'" for peer in LEARNERS if peer.distribution)
)
"""To be run in an environment of its own that holds robosac too."""


def installed(peers: Iterable[Peer]) -> list[Peer]:
    """Those that can take part here; nothing is imported to find out."""
    return [
        peer
        for peer in peers
        if (not peer.module or find_spec(peer.module)) and (not peer.needs_tiles or has_tiles())
    ]


def missing(peers: Iterable[Peer]) -> list[Peer]:
    """Those that could, if they were installed."""
    peers = list(peers)
    there = installed(peers)
    return [peer for peer in peers if peer.module and peer not in there]


def versions() -> dict[str, str]:
    """Of what the figures depend on, as far as it is installed."""
    found: dict[str, str] = {}
    for name in VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def make(kind: str, name: str, case: Case) -> Contender:
    """A contender of that name; `kind` is "learner" or "replay".

    Raises:
        ValueError: there is none.
    """
    makers = _learners() if kind == "learner" else _replays()
    if name not in makers:
        raise ValueError(f"no {kind} is called {name!r}; there are {sorted(makers)}")
    return makers[name](case)


def _learners() -> dict[str, Callable[[Case], Any]]:
    # Only what is asked for is imported: the memory of each process is its own contender's.
    def ours(products: Products) -> Callable[[Case], Any]:
        def made(case: Case) -> Any:
            from robosac.peers.ours import OurLearner

            return OurLearner(case, products)

        return made

    def native(products: Products) -> Callable[[Case], Any]:
        def made(case: Case) -> Any:
            from robosac.peers.ours import OurNativeLearner

            return OurNativeLearner(case, products)

        return made

    def plain(case: Case) -> Any:
        from robosac.peers.plain import PlainLearner

        return PlainLearner(case)

    def baselines(case: Case) -> Any:
        from robosac.peers.baselines import Baselines

        return Baselines(case)

    def jax(updates_per_call: int) -> Callable[[Case], Any]:
        def made(case: Case) -> Any:
            from robosac.peers.baselines import Jax

            return Jax(case, updates_per_call)

        return made

    def torch_rl(case: Case) -> Any:
        from robosac.peers.torch_rl import TorchRl

        return TorchRl(case)

    own = (ours("float32"), ours("bfloat16"), native("float32"), native("bfloat16"))
    made = (*own, baselines, plain, jax(1), jax(UPDATES_PER_CALL), torch_rl)
    return {peer.name: maker for peer, maker in zip(LEARNERS, made, strict=True)}


def _replays() -> dict[str, Callable[[Case], Any]]:
    def ours(case: Case) -> Any:
        from robosac.peers.ours import OurReplay

        return OurReplay(case)

    def baselines(case: Case) -> Any:
        from robosac.peers.baselines import BaselinesReplay

        return BaselinesReplay(case)

    return {OURS: ours, REFERENCE: baselines}
