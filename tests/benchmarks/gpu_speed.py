"""Updates a second on a GPU: asked for kernel by kernel, and recorded as CUDA graphs.

Run it with `python -m tests.benchmarks.gpu_speed --json figures.json`. Every way takes turns in
every round; figures are medians. `alone` is the update over one batch that lies on the GPU. `whole`
begins with drawing from a replay: from the host's memory, or from its copy on the GPU (`resident`).

The launch floor is the number of kernels in one update times what one takes that does next to
nothing within a graph. Nothing made of so many kernels, one after the other, can be faster.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robosac.frame_replay import FrameReplay
from robosac.peers.turns import interleave
from robosac.replay import Batch, Replay
from robosac.resident_replay import ResidentReplay
from robosac.sac import FastPixels, PaperPixels, PixelSac, Sac, SacSettings
from robosac.sac.graphed import UPDATES_PER_CALL, CudaRecorder, GraphedLearner
from robosac.sac.learner import PARTS

BATCH = SacSettings().batch_size
TINY_KERNELS = 2000
CHECKED = 2 * UPDATES_PER_CALL + 3
"""Updates after which recorded and plain learner are compared."""
Turn = Callable[[int], object]
"""Makes that many updates, a multiple of UPDATES_PER_CALL."""


@dataclass(frozen=True)
class Case:
    """A learner's sizes."""

    name: str
    state: int
    action: int
    side: int = 0
    pixels: FastPixels | PaperPixels | None = None
    rows: int = 20_000
    """Transitions in the replay."""

    def learner(self) -> Any:
        """A new one on the GPU."""
        if self.pixels is None:
            return Sac(SacSettings(), self.state, self.action, 0, "cuda")
        shape = (self.side, self.side, 3)
        return PixelSac(SacSettings(), self.pixels, shape, self.state, self.action, 0, "cuda")

    def replay(self) -> Any:
        """One of random transitions, in the host's memory."""
        rng = np.random.default_rng(0)
        if self.pixels is None:
            replay: Any = Replay(self.rows, (self.state,), self.action)
        else:
            replay = FrameReplay(self.rows, (self.side, self.side, 3), self.state, self.action)

        def observation() -> Any:
            vector = rng.standard_normal(self.state, dtype=np.float32)
            if self.pixels is None:
                return vector
            shape = (self.side, self.side, 3)
            return {"image": rng.integers(0, 256, shape, dtype=np.uint8), "state": vector}

        seen = observation()
        for _ in range(self.rows):
            action, following = rng.uniform(-1, 1, self.action), observation()
            replay.add(seen, action.astype(np.float32), float(action[0]), following, False)
            seen = following
        return replay


CASES = (
    Case("state 17/6", 17, 6),
    Case("state 112/8", 112, 8),
    Case("pixels 32x32 fast", 27, 9, 32, FastPixels()),
    Case("pixels 84x84 fast", 27, 9, 84, FastPixels(patches=(4, 3)), rows=5_000),
    Case("pixels 32x32 paper", 27, 9, 32, PaperPixels()),
)


def graphed(case: Case) -> GraphedLearner[Any]:
    """A new learner whose updates are recorded."""
    return GraphedLearner(case.learner(), CudaRecorder())


def to_device(value: Any) -> Any:
    """An array, or a dict of them, on the GPU."""
    if isinstance(value, dict):
        return {name: to_device(part) for name, part in value.items()}
    return torch.from_numpy(value).cuda()


def resident_batch(replay: Any) -> Batch[Any]:
    """A batch on the GPU."""
    batch = replay.sample(np.random.default_rng(1), BATCH)
    return Batch(**{part: to_device(getattr(batch, part)) for part in PARTS})


def alone(case: Case, batch: Batch[Any]) -> dict[str, Turn]:
    """The update itself, in all ways, over one batch on the GPU."""
    plain, one, many = case.learner(), graphed(case), graphed(case)
    one.update(batch)
    many.update_many([batch] * UPDATES_PER_CALL)
    replay_one, replay_many = one.recorded(1), many.recorded(UPDATES_PER_CALL)
    return {
        "eager": lambda count: [plain.update(batch) for _ in range(count)],
        "graph of 1": lambda count: [replay_one() for _ in range(count)],
        f"graph of {UPDATES_PER_CALL}": lambda count: [
            replay_many() for _ in range(count // UPDATES_PER_CALL)
        ],
    }


def whole(case: Case, host: Any) -> dict[str, Turn]:
    """Drawing, sending and updating, from the host's replay and from its copy."""
    resident: Any = ResidentReplay(host, "cuda")
    rng = np.random.default_rng(0)

    def single(learner: Any, replay: Any) -> Turn:
        return lambda count: [learner.update(replay.sample(rng, BATCH)) for _ in range(count)]

    def blocks(learner: Any, replay: Any) -> Turn:
        def turn(count: int) -> None:
            for _ in range(count // UPDATES_PER_CALL):
                learner.update_many([replay.sample(rng, BATCH) for _ in range(UPDATES_PER_CALL)])

        return turn

    return {
        "host, eager": single(case.learner(), host),
        "host, graph of 1": single(graphed(case), host),
        f"host, graph of {UPDATES_PER_CALL}": blocks(graphed(case), host),
        "resident, eager": single(case.learner(), resident),
        "resident, graph of 1": single(graphed(case), resident),
        f"resident, graph of {UPDATES_PER_CALL}": blocks(graphed(case), resident),
    }


def measure(
    candidates: dict[str, Turn], rounds: int, updates: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Median updates a second of each candidate, all of them taking turns in every round.

    And the time in us that the CPU takes to ask for one.
    """
    players = {name: _player(turn) for name, turn in candidates.items()}
    told = interleave(players, rounds, updates)
    rates = {name: [rate for rate, _ in each] for name, each in told.items()}
    asked_us = {name: [us for _, us in each] for name, each in told.items()}
    return _medians(rates), _medians(asked_us)


def _player(turn: Turn) -> Callable[[int], tuple[float, float]]:
    """Updates a second, and us to ask for one."""

    def play(count: int) -> tuple[float, float]:
        torch.cuda.synchronize()
        start = time.perf_counter()
        turn(count)
        asked = time.perf_counter() - start
        torch.cuda.synchronize()
        return count / (time.perf_counter() - start), 1e6 * asked / count

    return play


def _medians(values: dict[str, list[float]]) -> dict[str, float]:
    return {name: round(statistics.median(found), 1) for name, found in values.items()}


def tiny_kernel_us(rounds: int) -> float:
    """What one kernel on one number takes within a graph, median microseconds."""
    number = torch.zeros(1, device="cuda")
    graph = torch.cuda.CUDAGraph()
    number.add_(1)
    with torch.cuda.graph(graph):
        for _ in range(TINY_KERNELS):
            number.add_(1)
    graph.replay()
    times: list[float] = []
    for _ in range(rounds):
        torch.cuda.synchronize()
        start = time.perf_counter()
        graph.replay()
        torch.cuda.synchronize()
        times.append(1e6 * (time.perf_counter() - start) / TINY_KERNELS)
    return statistics.median(times)


def kernels_of(work: Callable[[], object], log: Path | None) -> tuple[int, float]:
    """How many kernels, copies and fills the GPU does for it, and the sum of their times in us."""
    from torch._C._autograd import DeviceType
    from torch.profiler import ProfilerActivity, profile

    work()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as seen:
        work()
        torch.cuda.synchronize()
    events = [event for event in seen.events() or () if event.device_type == DeviceType.CUDA]
    if log is not None:
        with log.open("a", encoding="utf-8") as file:
            for event in events:
                file.write(f"{event.device_time:8.2f} us  {event.name}\n")
            file.write("\n")
    return len(events), sum(event.device_time for event in events)


def equal_to_the_bit(case: Case, replay: Any) -> bool:
    """Whether so many recorded updates leave what as many plain ones leave."""
    rngs = np.random.default_rng(2), np.random.default_rng(2)
    plain, recorded = case.learner(), graphed(case)
    recorded.update_many([replay.sample(rngs[0], BATCH) for _ in range(CHECKED)])
    for _ in range(CHECKED):
        plain.update(replay.sample(rngs[1], BATCH))
    one, other = plain.state(), recorded.state()
    return all(one[name].tobytes() == other[name].tobytes() for name in one)


def gradient_cosines(case: Case, replay: Any) -> dict[str, float]:
    """Cosine of each flat gradient of one update with that of the same update in float64."""
    batch = replay.sample(np.random.default_rng(3), BATCH)
    noise = np.random.default_rng(4).standard_normal((2 * BATCH, case.action))
    start: dict[str, NDArray[Any]] = case.learner().state()
    gradients: list[dict[str, Tensor]] = []
    for dtype in (torch.float64, torch.float32):
        learner = case.learner()
        cls, args = type(learner), (0, "cuda", dtype)
        sizes: tuple[Any, ...] = (case.state, case.action)
        if case.pixels is not None:
            sizes = (case.pixels, (case.side, case.side, 3), *sizes)
        learner = cls(SacSettings(), *sizes, *args)
        learner.load(
            {
                name: value.astype(np.float64)
                if dtype == torch.float64 and value.dtype == np.float32 and "count" not in name
                else value
                for name, value in start.items()
            }
        )
        learner._gaussian_noise = lambda _, dtype=dtype: torch.from_numpy(noise).to("cuda", dtype)
        learner.update(batch)
        optimisers = {"critics": learner._critic_adam, "policy": learner._policy_adam}
        gradients.append({name: adam.gradient.double() for name, adam in optimisers.items()})
    return {
        name: round(
            float(torch.cosine_similarity(gradients[0][name], gradients[1][name], dim=0)), 9
        )
        for name in gradients[0]
    }


def figures(case: Case, options: argparse.Namespace, tiny_us: float) -> dict[str, object]:
    """Everything that is measured of a case."""
    torch.cuda.reset_peak_memory_stats()
    replay = case.replay()
    batch = resident_batch(replay)
    ways = alone(case, batch)
    plain = case.learner()
    count, busy_us = kernels_of(lambda: plain.update(batch), options.log)
    in_graph, graph_busy_us = kernels_of(lambda: ways["graph of 1"](1), None)
    rates, asked_us = measure(ways, options.rounds, options.updates)
    best_us = 1e6 / max(rates.values())
    row: dict[str, object] = {
        "case": case.name,
        "equal_to_the_bit": equal_to_the_bit(case, replay),
        "gradient_cosine": gradient_cosines(case, replay),
        "alone": rates,
        "asked_us": asked_us,
        "kernels": count,
        "kernels_in_graph": in_graph,
        "kernel_time_us": round(busy_us, 1),
        "kernel_time_in_graph_us": round(graph_busy_us, 1),
        "update_us": round(best_us, 1),
        "launch_floor_us": round(in_graph * tiny_us, 1),
        "fraction_of_floor": round(in_graph * tiny_us / best_us, 3),
    }
    row["whole"], _ = measure(whole(case, replay), options.rounds, options.updates)
    row["peak_memory_mb"] = round(torch.cuda.max_memory_allocated() / 1e6, 1)
    return row


def main() -> None:
    """Measure and write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="turns each way takes")
    parser.add_argument("--updates", type=int, default=200, help="updates in one turn")
    parser.add_argument("--precision", choices=("highest", "high", "medium"), default="highest")
    parser.add_argument("--only", nargs="+", default=[""], help="cases whose names hold a word")
    parser.add_argument("--log", type=Path, help="append every kernel of an update here")
    parser.add_argument("--json", type=Path, help="write here rather than to standard output")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("gpu_speed: torch finds no CUDA device here")
    torch.set_float32_matmul_precision(options.precision)
    tiny_us = tiny_kernel_us(20)
    rows: list[dict[str, object]] = []
    report = {
        "card": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "float32_matmul_precision": options.precision,
        "batch": BATCH,
        "hidden": list(SacSettings().hidden_units),
        "tiny_kernel_us": round(tiny_us, 3),
        "rows": rows,
    }
    for case in CASES:
        if any(word in case.name for word in options.only):
            rows.append(figures(case, options, tiny_us))
            # After each case: a machine that is taken away leaves what it had measured.
            if options.json:
                options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if not options.json:
        sys.stdout.write(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
