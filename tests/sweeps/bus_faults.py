"""Many exchanges with servos on a bad cable, and what our bus and the vendor's client make of it.

    python -m tests.sweeps.bus_faults --transactions 1000000

from the repository's root. One message in ten is dropped, flipped, cut short, split or doubled, and
of the replies also up to 30 ms late or with another's id, all equally often. Exit code 0 only if
our bus neither raised nor hung, and called nothing good that was stale or wrong.

`sdk` is the vendor's client as it comes: it waits 37 ms for a reply, longer than any comes late.
`sdk-short` is the same with its wait set to 5 ms, as many set it who control a robot with it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from tests.sweeps.bus_clients import Client, Ours, Sdk, SdkShort
from tests.sweeps.stamped_servos import stamped_servos
from tests.sweeps.stamps import IDS, Verdict, now_us

GRACE_S = 0.05
"""An exchange that works and waits by so much longer than its time is counted as hung, s. One that
the computer did not let run, or woke too late, is counted apart."""
WARM_UP = 5
SHARES = {"ours": 1, "sdk": 50, "sdk-short": 50}
"""Of the exchanges asked for; the vendor's client is slow with a lost reply."""
SAY_EVERY_S = 2.0
CLIENTS: Mapping[str, Callable[[str, int], Client]] = {
    "ours": Ours,
    "sdk": Sdk,
    "sdk-short": SdkShort,
}
CHOICES = {"ours": ["ours"], "sdk": ["sdk", "sdk-short"], "both": list(CLIENTS)}


@dataclass
class Tally:
    """What happened; as a context manager it counts what the block raises."""

    exchanges: int = 0
    true: int = 0
    lost: int = 0
    stale: int = 0
    wrong: int = 0
    hangs: int = 0
    stalls: int = 0
    longest_overrun_ms: float = 0.0
    longest_own_overrun_ms: float = 0.0
    seconds: float = 0.0
    exceptions: Counter[str] = field(default_factory=Counter)

    @property
    def clean(self) -> bool:
        return not (self.exceptions or self.hangs or self.stale or self.wrong)

    def note(self, verdicts: list[Verdict]) -> None:
        found = Counter(verdicts)
        self.true += found[Verdict.TRUE]
        self.stale += found[Verdict.STALE]
        self.wrong += found[Verdict.WRONG]
        self.lost += len(IDS) - len(verdicts)

    def timed(self, overrun_s: float, own_overrun_s: float) -> None:
        """Count an exchange by how much longer than its time it took, in all and by itself."""
        self.hangs += own_overrun_s > GRACE_S
        self.stalls += overrun_s > GRACE_S >= own_overrun_s
        self.longest_own_overrun_ms = max(self.longest_own_overrun_ms, 1000 * own_overrun_s)
        self.longest_overrun_ms = max(self.longest_overrun_ms, 1000 * overrun_s)

    def __enter__(self) -> None:
        self.exchanges += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if kind is None or not issubclass(kind, Exception):
            return False
        self.exceptions[f"{kind.__name__}: {error}"] += 1
        self.lost += len(IDS)
        return True

    def document(self) -> dict[str, object]:
        return {
            "exchanges": self.exchanges,
            "readings_true": self.true,
            "readings_lost": self.lost,
            "readings_stale": self.stale,
            "readings_wrong": self.wrong,
            "uncaught_exceptions": dict(self.exceptions),
            "hangs": self.hangs,
            "stalls_of_the_computer": self.stalls,
            "longest_overrun_ms": round(self.longest_overrun_ms, 2),
            "longest_own_overrun_ms": round(self.longest_own_overrun_ms, 2),
            "exchanges_per_s": round(self.exchanges / max(self.seconds, 1e-9), 1),
        }


def own_time_s(client: Client) -> float:
    """How long this thread has worked, and the client has asked to wait, s."""
    return time.thread_time() + client.waited_s


def run(
    name: str, transactions: int, probability: float, seed: int, say: Callable[[str], object]
) -> Tally:
    """Drive one client through `transactions` exchanges."""
    tally, epoch_us = Tally(), now_us()
    with stamped_servos(epoch_us, seed) as (path, faults):
        client = CLIENTS[name](path, epoch_us)
        for _ in range(WARM_UP):
            client.exchange()
        faults(probability)
        began = told = time.monotonic()
        while tally.exchanges < transactions:
            begun, own = time.monotonic(), own_time_s(client)
            with tally:
                tally.note(client.exchange())
            now, own = time.monotonic(), own_time_s(client) - own
            tally.timed(now - begun - client.patience_s, own - client.patience_s)
            if now - told >= SAY_EVERY_S:
                told = now
                rate = tally.exchanges / (now - began)
                left = (transactions - tally.exchanges) / rate
                say(
                    f"\r{name}: {tally.exchanges:,} of {transactions:,}, {rate:.0f}/s, "
                    f"{left:.0f} s left, stale {tally.stale}, wrong {tally.wrong}, "
                    f"hung {tally.hangs}, stalled {tally.stalls}, "
                    f"raised {tally.exceptions.total()} "
                )
        tally.seconds = time.monotonic() - began
        client.close()
    say("\n")
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transactions", type=int, default=1_000_000)
    parser.add_argument("--client", choices=CHOICES, default="both")
    parser.add_argument("--probability", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    options = parser.parse_args()
    tallies: dict[str, Tally] = {}
    for name in CHOICES[options.client]:
        count = max(1, options.transactions // SHARES[name])
        tallies[name] = run(name, count, options.probability, options.seed, sys.stderr.write)
    text = json.dumps({name: tally.document() for name, tally in tallies.items()}, indent=1)
    sys.stdout.write(text + "\n")
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    ours = tallies.get("ours")
    return 0 if ours is None or ours.clean else 1


if __name__ == "__main__":
    sys.exit(main())
