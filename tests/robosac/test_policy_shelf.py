"""The shelf has the old policy or the new one, whatever fails when."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from robosac.envelope import seal, unseal
from robosac.errors import PolicyRefused
from robosac.policy_shelf import PolicyShelf
from tests.robosac.policy_rig import (
    FAST,
    PAPER,
    pixel_policy,
    pixel_schema,
    resealed,
    sealed,
    vector_policy,
    vector_schema,
)

A, B, C, D = (sealed(version=version, seed=version) for version in (10, 20, 30, 40))


def shelf(folder: Path) -> PolicyShelf:
    """As after a restart."""
    return PolicyShelf(folder, vector_schema())


def newest_version(folder: Path) -> int | None:
    found = shelf(folder).newest()
    return None if found is None else found.version


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(bytes(data))


def test_an_empty_shelf_has_none(tmp_path: Path) -> None:
    one = shelf(tmp_path / "none")
    assert one.newest() is None
    assert one.passed_over == ()
    assert not (tmp_path / "none").exists(), "looking makes nothing"


def test_what_was_put_is_there_after_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    put = shelf(folder).put(A)
    found = shelf(folder).newest()
    assert found is not None
    assert (found.version, found.learned, found.sha256) == (10, {"stream": 41}, put.sha256)
    for name, value in vector_policy(10).weights().items():
        np.testing.assert_array_equal(found.policy.weights()[name], value)


def test_the_newest_two_are_kept_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    one = shelf(tmp_path)
    for data in (C, B, A):
        one.put(data)
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == [B, A]
    assert newest_version(tmp_path) == 10, "a learner may have gone back to a checkpoint"
    one = shelf(tmp_path)
    one.put(D)
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == [A, D]


def test_the_newest_put_again_does_not_push_the_older_out(tmp_path: Path) -> None:
    for data in (A, B, B):
        shelf(tmp_path).put(data)
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == [A, B]


def test_a_third_that_a_kill_left_goes_with_the_next_put(tmp_path: Path) -> None:
    for data in (A, B):
        shelf(tmp_path).put(data)
    (tmp_path / "0000000000.policy").write_bytes(C)
    shelf(tmp_path).put(B)
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == [A, B]


@pytest.mark.parametrize("bad", [B[:-1], b"", resealed(B, version=21)])
def test_what_is_refused_changes_nothing(tmp_path: Path, bad: bytes) -> None:
    one = shelf(tmp_path)
    with pytest.raises(PolicyRefused):
        one.put(bad)
    assert not list(tmp_path.iterdir())
    one.put(A)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    with pytest.raises(PolicyRefused):
        one.put(bad)
    with pytest.raises(PolicyRefused, match="the one in use is a PixelPolicy"):
        one.put(B, like=pixel_policy())
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    assert newest_version(tmp_path) == 10


def test_a_damaged_newest_falls_back_to_the_older_and_says_so(tmp_path: Path) -> None:
    for data in (A, B):
        shelf(tmp_path).put(data)
    newest = max(tmp_path.iterdir())
    flip(newest)
    one = shelf(tmp_path)
    found = one.newest()
    assert found is not None
    assert found.version == 10
    assert len(one.passed_over) == 1
    assert newest.name in one.passed_over[0]
    assert "damaged" in one.passed_over[0]
    # The sound one may not be pushed out by one that nobody could fall back to.
    one.put(C)
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == [A, C]
    flip(max(tmp_path.iterdir()))
    assert newest_version(tmp_path) == 10


def test_both_damaged_is_none_and_says_so(tmp_path: Path) -> None:
    for data in (A, B):
        shelf(tmp_path).put(data)
    for path in tmp_path.iterdir():
        flip(path)
    one = shelf(tmp_path)
    assert one.newest() is None
    assert len(one.passed_over) == 2
    one.put(C)
    assert newest_version(tmp_path) == 30
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_too_large_or_no_file_is_passed_over(tmp_path: Path) -> None:
    shelf(tmp_path).put(A)
    with (tmp_path / "0000000007.policy").open("wb") as file:
        file.truncate(1 << 40)
    (tmp_path / "0000000009.policy").mkdir()
    one = shelf(tmp_path)
    found = one.newest()
    assert found is not None
    assert found.version == 10
    assert "at most" in one.passed_over[0]
    assert "at most" in one.passed_over[1]
    one.put(B)
    assert newest_version(tmp_path) == 20
    assert not (tmp_path / "0000000007.policy").exists()


def test_a_policy_for_another_run_is_passed_over_by_name(tmp_path: Path) -> None:
    shelf(tmp_path).put(A)
    other = PolicyShelf(tmp_path, vector_schema(robot="arm"))
    assert other.newest() is None
    assert "robot: 'arm' here, 'legs' there" in other.passed_over[0]
    assert newest_version(tmp_path) == 10, "looking removes nothing"


def test_files_that_are_not_the_shelfs_are_left_alone(tmp_path: Path) -> None:
    for name in ("notes.txt", "1.policy", ".0000000001.policy.part", "0000000001.policy.old"):
        (tmp_path / name).write_text("x")
    for data in (A, B, C):
        shelf(tmp_path).put(data)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        "0000000001.policy.old",
        "0000000002.policy",
        "0000000003.policy",
        "1.policy",
        "notes.txt",
    ]


@pytest.mark.parametrize("recipe", [None, FAST, PAPER])
def test_the_learner_publishes_what_an_actor_takes(tmp_path: Path, recipe: str | None) -> None:
    schema = vector_schema() if recipe is None else pixel_schema()
    policy = vector_policy() if recipe is None else pixel_policy(0, recipe)
    data = PolicyShelf(tmp_path / "learner", schema).publish(policy, 5, {"s": 3})
    assert data == seal(policy, 5, {"s": 3}, schema)
    taken = PolicyShelf(tmp_path / "actor", schema).put(data)
    kept = PolicyShelf(tmp_path / "learner", schema).newest()
    assert kept is not None
    assert kept.sha256 == taken.sha256
    assert (kept.version, kept.learned) == (5, {"s": 3})


class Killed(BaseException):
    """In place of SIGKILL: nothing catches it."""


def die_at(number: int, patch: pytest.MonkeyPatch, after: bool) -> Callable[[], int]:
    """Let the process die at its operation of that number on the disk; how many there were."""
    count = 0

    def dying(real: Callable[..., object]) -> Callable[..., object]:
        def operation(*arguments: object, **named: object) -> object:
            nonlocal count
            count += 1
            if count != number:
                return real(*arguments, **named)
            if after:
                made = real(*arguments, **named)
                if isinstance(made, io.IOBase):
                    made.close()
                elif isinstance(made, int):
                    os.close(made)
            raise Killed

        return operation

    for name in ("open", "replace", "unlink", "mkdir"):
        patch.setattr(Path, name, dying(getattr(Path, name)))
    for name in ("fsync", "open"):
        patch.setattr(os, name, dying(getattr(os, name)))
    return lambda: count


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("before", [(), (A,), (A, B)])
def test_killed_at_any_operation_it_is_the_old_or_the_new_one(
    tmp_path: Path, before: tuple[bytes, ...], after: bool
) -> None:
    old = unseal(before[-1], vector_schema()).version if before else None
    seen: set[int | None] = set()
    for number in range(1, 100):
        folder = tmp_path / f"{number}"
        for data in before:
            shelf(folder).put(data)
        one = shelf(folder)
        one.newest()
        with pytest.MonkeyPatch.context() as patch:
            count = die_at(number, patch, after)
            with contextlib.suppress(Killed):
                one.put(C)
            finished = count() < number
        found = newest_version(folder)
        assert found in (old, 30)
        seen.add(found)
        assert not shelf(folder).passed_over
        shelf(folder).put(D)
        assert newest_version(folder) == 40
        assert len(list(folder.iterdir())) <= 2, "leftovers go with the next"
        if finished:
            assert found == 30
            break
    assert len(list(tmp_path.iterdir())) > 4
    assert seen == {old, 30}


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_a_disk_that_refuses_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    one = shelf(tmp_path)
    one.put(A)

    def refuses(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os if name == "fsync" else Path, name, refuses)
        with pytest.raises(OSError, match="No space left"):
            one.put(B)
    assert [path.name for path in tmp_path.iterdir()] == ["0000000001.policy"]
    assert newest_version(tmp_path) == 10
    one.put(B)
    assert newest_version(tmp_path) == 20
