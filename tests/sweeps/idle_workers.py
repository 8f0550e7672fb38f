"""Jobs for several processes: each goes to one that is idle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from queue import SimpleQueue
from typing import Protocol, TypeVar

Job = TypeVar("Job", contravariant=True)
Result = TypeVar("Result", covariant=True)
AJob = TypeVar("AJob")
AResult = TypeVar("AResult")


class Worker(Protocol[Job, Result]):
    """A process that does one job after the other."""

    def run(self, job: Job) -> Result:
        """What the job gives."""
        ...

    def close(self) -> None:
        """End it."""
        ...


def shared(
    jobs: Iterable[AJob], processes: int, make: Callable[[], Worker[AJob, AResult]]
) -> Iterator[AResult]:
    """Each job's result, as they get done, by so many workers."""
    workers = [make() for _ in range(processes)]
    idle: SimpleQueue[Worker[AJob, AResult]] = SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def on_an_idle_one(job: AJob) -> AResult:
        worker = idle.get()
        result = worker.run(job)
        idle.put(worker)
        return result

    pool = ThreadPoolExecutor(processes)
    try:
        for done in as_completed([pool.submit(on_an_idle_one, job) for job in jobs]):
            yield done.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.close()
