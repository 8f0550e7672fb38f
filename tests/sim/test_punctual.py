"""A twin's priority, as the system grants or refuses it."""

import gc
import os

import pytest

from sim.punctual import be_punctual


@pytest.fixture(autouse=True)
def collector():
    yield
    gc.unfreeze()
    gc.enable()


def test_none_asked_for_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_setscheduler", None)
    assert be_punctual(0) is None
    assert gc.isenabled()


def test_the_calling_thread_gets_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int, int]] = []

    def grant(pid: int, policy: int, param: os.sched_param) -> None:
        asked.append((pid, policy, param.sched_priority))

    monkeypatch.setattr(os, "sched_setscheduler", grant)
    assert be_punctual(60) is None
    assert asked == [(0, os.SCHED_FIFO, 60)]
    assert not gc.isenabled()


def test_a_refusal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    assert be_punctual(60) == (
        "the twin has no real-time priority 60 (SCHED_FIFO): Operation not permitted"
    )
