"""The mutation tester: what it changes, how a fork is judged, and that its list is true."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.mutation import inject, pool
from tests.mutation.keys import Key
from tests.mutation.ledger import Score, entry, read_equivalent, stale, table, write_table
from tests.mutation.targets import TARGETS

ROOT = Path(__file__).parents[2]
KEY = Key("robosac/a.py", "A.run", "return x < 1", "return x <= 1")
SOURCE = '''
"""Docs."""
LIMIT = 3


def run(x: int, name: str = "stop") -> bool:
    """Docs."""
    assert x
    if x < LIMIT:
        raise ValueError(f"{x} is too small")
    return max(x, 1) > 2
'''


def test_targets_and_their_tests_exist() -> None:
    for target in TARGETS:
        assert (ROOT / target.file).is_file()
        for test in target.tests:
            assert (ROOT / test).is_file(), test


def test_what_is_listed_is_still_in_the_files() -> None:
    for key, reason in read_equivalent(ROOT / "docs" / "mutation.md").items():
        text = " ".join((ROOT / key.file).read_text().split())
        assert key.before in text, key
        assert key.before != key.after
        assert reason


def test_an_entry_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "list.md"
    other = Key("robosac/a.py", "", "X = 1", "X = 2")
    path.write_text(f"# T\n\n### `robosac/a.py`\n\n{entry(KEY)}same\n{entry(other)}why: so\n")
    assert read_equivalent(path) == {KEY: "same", other: "why: so"}
    path.write_text("### `robosac/a.py`\n- `f`: nonsense\n")
    with pytest.raises(ValueError, match=r"list.md:2: an entry is"):
        read_equivalent(path)


def test_what_is_listed_and_killed_is_stale_if_its_file_was_judged() -> None:
    assert stale([KEY], [], ["robosac/a.py"]) == [KEY]
    assert stale([KEY], [KEY], ["robosac/a.py"]) == []
    assert stale([KEY], [], ["robosac/b.py"]) == []


def test_the_score_leaves_out_what_nobody_can_tell(tmp_path: Path) -> None:
    rows = [Score("a.py", 10, 7, 1, 2), Score("b.py", 10, 8, 0, 0, 2)]
    text = table(rows)
    assert "| `a.py` | 10 | 7 | 1 | 2 | 100.0 % |" in text
    assert "| `b.py` | 10 | 8 | 0 | 0 | 80.0 % |" in text
    assert "| all | 20 | 15 | 1 | 2 | 88.9 % |" in text
    path = tmp_path / "doc.md"
    path.write_text("nothing")
    with pytest.raises(ValueError, match="no place"):
        write_table(path, rows)
    path.write_text("before\n<!-- score -->\nold\n<!-- end of score -->\nafter\n")
    write_table(path, rows)
    assert path.read_text() == f"before\n<!-- score -->\n{text}<!-- end of score -->\nafter\n"


def fail() -> int:
    raise ZeroDivisionError


def die() -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return pool.SURVIVED


def hang() -> int:
    time.sleep(1000)
    return pool.SURVIVED


def test_a_fork_that_fails_dies_or_never_ends_has_not_survived(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "WALL_SLACK_S", 0.5)
    jobs = [lambda: pool.SURVIVED, lambda: pool.MUST_IMPORT, lambda: 5, fail, die, hang]
    found = dict(pool.run_all(jobs, lambda job: job(), lambda job: 0.1, at_once=3))
    assert [found[job] for job in jobs] == [
        pool.SURVIVED,
        pool.MUST_IMPORT,
        pool.KILLED,
        pool.KILLED,
        pool.KILLED,
        pool.TIMED_OUT,
    ]


def test_live_functions_take_other_code(tmp_path: Path) -> None:
    path = tmp_path / "victim.py"
    path.write_text("def f(x):\n    def g():\n        return x + 1\n    return g()\n")
    spec = importlib.util.spec_from_file_location("victim", path)
    assert spec is not None
    assert spec.loader is not None
    victim = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(victim)
    kept = victim.f
    functions = inject.live_functions(path)
    inject.exchange_code(functions, path, path.read_text().replace("+", "-"))
    assert kept(5) == 4


def test_a_mutant_is_imported_in_place_of_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "other_victim.py"
    path.write_text("X = 1\n")
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    inject.import_mutated("other_victim", path, "X = 2\n")
    try:
        assert importlib.import_module("other_victim").X == 2
    finally:
        del sys.modules["other_victim"]


JUDGE = """
import os
import sys
from pathlib import Path
from tests.mutation.keys import Key, Mutant
from tests.mutation.pool import SURVIVED
from tests.mutation.sessions import judge_cold, judge_warm

os.environ["JUDGE"] = str(os.getpid())
root = Path(sys.argv[1])
path = root / "arithmetic.py"
text = path.read_text()
changes = {"twice": ("2 * x", "3 * x", 2), "thrice": ("3 * x", "4 * x", 6)}
mutants = [
    Mutant(Key("arithmetic.py", name, before, after), text.replace(before, after), line, line, True)
    for name, (before, after, line) in changes.items()
]
sys.path.insert(0, str(root))
tests = [str(root / "test_arithmetic.py")]
found = {}
if sys.argv[2] == "warm":
    tell = lambda verdict: found.update([(verdict[0].key.where, verdict[1] == SURVIVED)])
    assert judge_warm(root, path, tests, mutants, 1, tell) == 0
else:
    for mutant, status in judge_cold(root, "arithmetic.py", tests, mutants, 1):
        found[mutant.key.where] = status == SURVIVED
assert found == {"twice": False, "thrice": True}, found
"""
ARITHMETIC = """def twice(x):
    return 2 * x


def thrice(x):
    return 3 * x
"""
ITS_TEST = """import os

from arithmetic import twice


def test_twice():
    assert twice(2) == 4
"""


@pytest.mark.parametrize("how", ["warm", "cold"])
@pytest.mark.parametrize("in_forks_too", [True, False])
def test_what_no_test_reaches_survives_and_tests_must_pass_in_forks(
    tmp_path: Path, how: str, in_forks_too: bool
) -> None:
    (tmp_path / "arithmetic.py").write_text(ARITHMETIC)
    only_here = "    assert os.environ['JUDGE'] == str(os.getpid())\n"
    (tmp_path / "test_arithmetic.py").write_text(ITS_TEST + ("" if in_forks_too else only_here))
    command = [sys.executable, "-c", JUDGE, str(tmp_path), how]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode == 0) == in_forks_too, ended.stderr


def test_what_is_changed_and_what_is_not(tmp_path: Path) -> None:
    pytest.importorskip("libcst")
    pytest.importorskip("mutmut")
    from tests.mutation.mutants import mutants_of

    (tmp_path / "a.py").write_text(SOURCE)
    mutants = mutants_of(tmp_path, "a.py")
    changed = {(one.key.where, one.key.after, one.in_function) for one in mutants}
    assert changed == {
        ("", "LIMIT = None", False),
        ("", "LIMIT = 4", False),
        ("run", 'def run(x: int, name: str = "XXstop") -> bool:', False),
        ("run", "if (x < LIMIT) and False:", True),
        ("run", "if (x < LIMIT) or True:", True),
        ("run", "if x <= LIMIT:", True),
        ("run", "pass", True),
        ("run", "return None", True),
        ("run", "return min(x, 1) > 2", True),
        ("run", "return max(x) > 2", True),
        ("run", "return max(x, 2) > 2", True),
        ("run", "return max(x, 1) >= 2", True),
        ("run", "return max(x, 1) > 3", True),
    }
    assert len({one.text for one in mutants}) == len(mutants)
