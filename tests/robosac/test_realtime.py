"""Priority for the loop, and for the threads that could keep the interpreter from it."""

import gc
import os
import sys
import threading

import pytest

from robosac import realtime
from robosac.realtime import HELPER_PRIORITY, punctual, set_fifos


class System:
    """Notes what is asked for; refuses or has lost what it is told to."""

    def __init__(self, *, lost: int = -1) -> None:
        self.asked: dict[int, int] = {}
        self._lost = lost

    def __call__(self, pid: int, policy: int, param: os.sched_param) -> None:
        assert policy == os.SCHED_FIFO
        if pid == self._lost:
            raise ProcessLookupError(3, "No such process")
        self.asked[pid] = param.sched_priority


@pytest.fixture
def helper():
    """A thread that waits."""
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    yield thread
    ended.set()
    thread.join()


def test_other_threads_come_behind_the_loop_and_before_all_that_is_ordinary(
    helper: threading.Thread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that holds the interpreter, and waits for a processor, keeps the loop waiting too."""
    system = System()
    monkeypatch.setattr(os, "sched_setscheduler", system)
    set_fifos(50)
    assert system.asked[0] == 50
    assert helper.native_id is not None
    assert system.asked[helper.native_id] == HELPER_PRIORITY
    assert threading.get_native_id() not in system.asked, "it is thread 0 here"


def test_a_thread_that_has_just_ended_is_no_error(
    helper: threading.Thread, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert helper.native_id is not None
    monkeypatch.setattr(os, "sched_setscheduler", System(lost=helper.native_id))
    set_fifos(50)


def test_a_refusal_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    with pytest.raises(PermissionError):
        set_fifos(50)


def test_what_was_lent_is_given_back(
    helper: threading.Thread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that goes on with other work keeps no priority, and collects its garbage."""
    asked: list[tuple[int, int, int]] = []
    monkeypatch.setattr(
        os,
        "sched_setscheduler",
        lambda pid, policy, param: asked.append((pid, policy, param.sched_priority)),
    )
    monkeypatch.setattr(realtime, "lock_memory", lambda: None)
    switch_s, policy = sys.getswitchinterval(), os.sched_getscheduler(0)
    with punctual(50) as refused:
        assert refused == ()
        # Threads of other tests may still be about.
        assert asked[0] == (0, os.SCHED_FIFO, 50)
        assert (helper.native_id, os.SCHED_FIFO, HELPER_PRIORITY) in asked
        assert not gc.isenabled()
        assert gc.get_freeze_count() > 0
        asked.clear()
    assert {kind for _, kind, _ in asked} == {policy}
    assert {threading.get_native_id(), helper.native_id} <= {pid for pid, _, _ in asked}
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    assert sys.getswitchinterval() == switch_s


def test_without_priority_none_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_setscheduler", lambda *_: pytest.fail("it was asked for"))
    with punctual(0) as refused:
        assert refused == ()
        assert not gc.isenabled()
    assert gc.isenabled()
