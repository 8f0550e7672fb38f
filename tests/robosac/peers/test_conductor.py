"""Contenders as processes: what they say, how they end, and what is left of them."""

from __future__ import annotations

import io
import os
import sys

import msgspec
import pytest

from robosac.errors import PeerFailed
from robosac.peers import conductor
from robosac.peers.child import Play, Played, Ready, Start, serve
from robosac.peers.conductor import cores_for, started
from tests.robosac.peers.peers_rig import TINY

START = Start("replay", "robosac", TINY, [])


def python(source: str) -> tuple[str, ...]:
    return (sys.executable, "-c", source)


def test_a_contender_answers_each_line_with_one() -> None:
    questions = [START, Play(3), Play(2)]
    told = io.BytesIO(b"".join(msgspec.json.encode(each) + b"\n" for each in questions))
    answers = io.BytesIO()
    serve(told, answers)
    first, *rest = answers.getvalue().splitlines()
    ready = msgspec.json.decode(first, type=Ready)
    assert ready.transition_bytes == 4 * (2 * TINY.observation + TINY.action + 2)
    played = [msgspec.json.decode(line, type=Played) for line in rest]
    assert [each.turn.count for each in played] == [3, 2]
    assert all(each.turn.seconds > 0 for each in played)


def test_a_process_is_made_filled_and_played() -> None:
    with started(msgspec.structs.replace(START, cores=cores_for(1)), threads=1) as player:
        ready = player.ready()
        turn = player.play(5)
        assert ready.transition_bytes > 0
        assert turn.count == 5
        if ready.loaded_bytes:
            assert player.resident_bytes >= ready.loaded_bytes > 1e6


def test_one_that_fails_is_told_by_its_last_words() -> None:
    source = "import sys; print('a warning', file=sys.stderr); raise OSError('no such thing')"
    with (
        started(START, 1, python(source)) as player,
        pytest.raises(PeerFailed, match=r"^robosac: OSError: no such thing$"),
    ):
        player.ready()


def test_one_that_ends_without_a_word_is_told_by_its_exit_code() -> None:
    with (
        started(START, 1, python("raise SystemExit(3)")) as player,
        pytest.raises(PeerFailed, match="ended with 3"),
    ):
        player.ready()


def test_one_that_says_nothing_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conductor, "ANSWER_TIMEOUT_S", 0.2)
    source = "import sys, time; sys.stdin.read(); time.sleep(60)"
    with (
        started(START, 1, python(source)) as player,
        pytest.raises(PeerFailed, match="no answer within"),
    ):
        player.ready()


def test_its_libraries_are_held_to_the_threads_and_to_the_cpu() -> None:
    source = (
        "import json, os, sys; sys.stdin.readline(); keys = ('OMP_NUM_THREADS', 'JAX_PLATFORMS');"
        "sys.exit(' '.join(os.environ[key] for key in keys))"
    )
    with (
        started(START, 2, python(source)) as player,
        pytest.raises(PeerFailed, match=r"^robosac: 2 cpu$"),
    ):
        player.ready()


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system holds nobody")
def test_all_are_held_to_as_many_processors_as_there_are_threads() -> None:
    allowed = sorted(os.sched_getaffinity(0))
    assert cores_for(1) == allowed[-1:]
    assert cores_for(1000) == allowed
