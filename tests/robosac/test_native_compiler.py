"""Building and keeping the native core: what is loaded is what was built, or nothing is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box

from robosac.config import load_preset
from robosac.errors import ConfigError, NativeUnavailable
from robosac.learners import make_learner, policy_of
from robosac.learning import Learning
from robosac.replay import Replay
from robosac.sac import Sac
from robosac.sac.native import compiler
from robosac.sac.native.agent import NativeSac, check, native_library
from robosac.sac.native.interface import loaded
from robosac.sac.settings import PAPER_VECTORS
from robosac.told_spaces import ToldSpaces
from tests.robosac.native_rig import library_or_skip

VECTORS = ToldSpaces(Box(-np.inf, np.inf, (3,)), Box(-1.0, 1.0, (2,)))
SMALL = ("sac.hidden_units=[16, 16]", "sac.replay_capacity=300", "sac.batch_size=16")
COPIES = """#!/bin/sh
echo "$@" >> "$0.calls"
if [ "$1" = --version ]; then cat "$0.version"; exit; fi
while [ "$1" != -o ]; do shift; done
cp "$0.library" "$2"
"""
REFUSES = """#!/bin/sh
if [ "$1" = --version ]; then echo 1; exit; fi
echo "in file included from" >&2
echo "update.cpp:1: error: no such thing" >&2
exit 1
"""


def settings(*overrides: str) -> Any:
    return load_preset("gym:Pendulum-v1", [*SMALL, *overrides])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A compiler that only copies what it is given, and a cache folder, both of our own."""
    tools = tmp_path / "bin"
    tools.mkdir()
    tool = tools / "c++"
    tool.write_text(COPIES)
    tool.chmod(0o700)
    (tools / "c++.version").write_text("1")
    (tools / "c++.library").write_bytes(b"the library")
    return tmp_path


def environment(place: Path) -> dict[str, str]:
    path = os.pathsep.join((str(place / "bin"), os.environ["PATH"]))
    return {"PATH": path, "XDG_CACHE_HOME": str(place / "cache")}


def builds(place: Path) -> int:
    calls = (place / "bin" / "c++.calls").read_text().splitlines()
    return sum(call != "--version" for call in calls)


def test_it_is_built_once_and_kept_where_nobody_else_may_write(place: Path) -> None:
    first = compiler.built(environment(place))
    assert first.read_bytes() == b"the library"
    assert compiler.built(environment(place)) == first
    assert builds(place) == 1
    assert first.parent == place / "cache" / "robosac" / "native"
    assert first.parent.stat().st_mode & 0o777 == first.stat().st_mode & 0o777 == 0o700
    assert list(first.parent.iterdir()) == [first]


def test_the_command_names_flags_and_source_and_no_shell(place: Path) -> None:
    compiler.built(environment(place))
    call = (place / "bin" / "c++.calls").read_text().splitlines()[-1].split()
    assert call[: len(compiler.FLAGS)] == list(compiler.FLAGS)
    assert call[-1] == str(compiler.SOURCE)
    assert compiler.SOURCE.is_file()


@pytest.mark.parametrize("damage", [b"", b"the librarx", b"the library and more"])
def test_a_damaged_one_is_built_anew(place: Path, damage: bytes) -> None:
    kept = compiler.built(environment(place))
    kept.write_bytes(damage)
    assert compiler.built(environment(place)) == kept
    assert kept.read_bytes() == b"the library"
    assert builds(place) == 2


def test_one_that_others_may_write_or_that_is_a_link_is_built_anew(place: Path) -> None:
    kept = compiler.built(environment(place))
    kept.chmod(0o722)
    assert compiler.built(environment(place)) == kept
    assert kept.stat().st_mode & 0o777 == 0o700
    elsewhere = place / "elsewhere.so"
    kept.rename(elsewhere)
    kept.symlink_to(elsewhere)
    assert not compiler.built(environment(place)).is_symlink()
    assert builds(place) == 3


def test_another_compiler_or_processor_is_another_library(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {compiler.built(environment(place))}
    (place / "bin" / "c++.version").write_text("2")
    found.add(compiler.built(environment(place)))
    monkeypatch.setattr(compiler, "processor", lambda: "another")
    found.add(compiler.built(environment(place)))
    monkeypatch.setattr(compiler, "FLAGS", (*compiler.FLAGS, "-g"))
    found.add(compiler.built(environment(place)))
    assert len(found) == builds(place) == 4


@pytest.mark.parametrize("where", ["cache", "cache/robosac", "cache/robosac/native"])
def test_a_folder_that_others_may_write_is_refused(place: Path, where: str) -> None:
    compiler.built(environment(place))
    (place / where).chmod(0o777)
    with pytest.raises(NativeUnavailable, match="may be written by others"):
        compiler.built(environment(place))


def test_a_relative_cache_is_ignored_and_without_a_home_nothing_is_built(place: Path) -> None:
    home = {**environment(place), "XDG_CACHE_HOME": "cache", "HOME": str(place / "home")}
    assert place / "home" / ".cache" in compiler.built(home).parents
    with pytest.raises(NativeUnavailable, match="neither XDG_CACHE_HOME nor HOME"):
        compiler.built({"PATH": home["PATH"]})


@pytest.mark.parametrize("path", ["", ".", "bin", ":"])
def test_without_a_compiler_it_says_so(
    place: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    shutil.copy(place / "bin" / "c++", place / "c++")
    with pytest.raises(NativeUnavailable, match=r"no compiler: none of c\+\+, g\+\+, clang\+\+"):
        compiler.built({**environment(place), "PATH": path})


def test_a_compiler_that_fails_is_quoted(place: Path) -> None:
    (place / "bin" / "c++").write_text(REFUSES)
    with pytest.raises(NativeUnavailable, match=r"ended with 1: update.cpp:1: error: no such"):
        compiler.built(environment(place))
    assert list((place / "cache" / "robosac" / "native").iterdir()) == []


def test_a_compiler_that_hangs_is_given_up(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "bin" / "c++").write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(compiler, "BUILD_TIMEOUT_S", 0.2)
    with pytest.raises(NativeUnavailable, match="timed out"):
        compiler.built(environment(place))


def test_what_is_no_library_is_not_loaded(place: Path) -> None:
    with pytest.raises(NativeUnavailable, match="cannot be loaded"):
        loaded(compiler.built(environment(place)))


def test_a_core_that_computes_something_else_is_not_used() -> None:
    library = library_or_skip()

    class Lazy:
        """Does nothing instead of updates."""

        robosac_create = library.functions.robosac_create
        robosac_destroy = library.functions.robosac_destroy

        @staticmethod
        def robosac_update(learner: int, batch: Any, pictures: Any) -> None:
            del learner, batch, pictures

    check(library, PAPER_VECTORS)
    lazy: Any = Lazy()
    with pytest.raises(NativeUnavailable, match="self-test"):
        check(library._replace(functions=lazy), PAPER_VECTORS)


def test_one_is_told_before_one_waits_for_the_compiler(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(place).items():
        monkeypatch.setenv(name, value)
    heard: list[str] = []

    def told(line: str) -> None:
        assert builds(place) == 0
        heard.append(line)

    # What this compiler makes is no library, so that torch is taken; it is told all the same.
    for other in ("learner_core=torch", f"sac.hidden_units={[8] * 9}"):
        make_learner(settings(other), VECTORS, told)
    assert heard == []
    assert make_learner(settings(), VECTORS, told).core == "torch"
    assert len(heard) == 1
    assert "once on this computer" in heard[0]
    assert builds(place) == 1
    make_learner(settings(), VECTORS, told)
    (place / "bin" / "c++").unlink()
    monkeypatch.setenv("PATH", "")
    make_learner(settings(), VECTORS, told)
    assert len(heard) == 1


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_torch_makes_the_updates() -> None:
    made = make_learner(settings(), VECTORS)
    assert type(made) is Sac
    assert made.core == "torch"
    with pytest.raises(ConfigError, match=r"learner_core is native, but no compiler.*auto and tor"):
        make_learner(settings("learner_core=native"), VECTORS)


def test_it_is_used_where_it_can_be() -> None:
    library_or_skip()
    made = make_learner(settings(), VECTORS)
    assert isinstance(made, NativeSac)
    assert made.core == "native"
    assert isinstance(make_learner(settings("learner_threads=2"), VECTORS), NativeSac)
    deep = f"sac.hidden_units={[8] * 9}"
    for other in ("learner_core=torch", deep):
        assert type(make_learner(settings(other), VECTORS)) is Sac
    with pytest.raises(ConfigError, match="valid here are auto and torch"):
        settings("learner_core=native", deep)
    # Its states are anybody's.
    assert policy_of(settings(), VECTORS, made.state()).weights().keys()


def test_a_run_that_was_begun_with_the_core_says_when_it_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library_or_skip()
    heard: list[str] = []

    def learning() -> Learning:
        config = settings()
        replay = Replay(300, (3,), 2)
        return Learning(config, make_learner(config, VECTORS), replay, warn=heard.append)

    folder = tmp_path / "native"
    begun = learning()
    assert begun.learner.core == "native"
    begun.save(folder, {"step": 1}, {}, with_replay=False)
    newest = folder / "checkpoints" / "0000000001"
    assert learning().load(newest, {}, with_replay=False)["core"] == "native"
    assert heard == []
    monkeypatch.setenv("PATH", "")
    gone = learning()
    gone.load(newest, {}, with_replay=False)
    assert gone.learner.core == "torch"
    assert len(heard) == 1
    assert "was learned with the native core, which is not to be had here" in heard[0]
    # And the other way round it goes on as it was begun.
    gone.save(tmp_path / "torch", {"step": 1}, {}, with_replay=False)
    monkeypatch.undo()
    back = learning()
    assert back.learner.core == "native"
    back.load(tmp_path / "torch" / "checkpoints" / "0000000001", {}, with_replay=False)
    assert back.learner.core == "torch"
    assert len(heard) == 1


SANITIZED = """
import sys
from pathlib import Path
from robosac.sac import FastVectors, PaperVectors, SacSettings
from robosac.sac.native.agent import NativeSac, check
from robosac.sac.native.interface import loaded
from robosac.sac import FastPixels, PaperPixels
from robosac.sac.native.pixel_agent import SELF_TESTS, NativePixelSac, check_pixels
from tests.robosac.native_pixel_rig import make_pixel_batch
from tests.robosac.native_rig import make_batch
library = loaded(Path(sys.argv[1]))
for vectors in (PaperVectors(), FastVectors()):
    check(library, vectors)
    for rows, observation, action, hidden, threads in (
        (1, 1, 1, (1,), 2), (33, 17, 6, (256, 256), 1), (129, 17, 6, (256, 256), 3),
        (12, 3, 11, (31, 7, 16), 4),
    ):
        chosen = SacSettings(hidden_units=hidden, batch_size=rows)
        native = NativeSac(library, chosen, observation, action, 0, vectors, threads)
        for seed in range(3):
            native.update(make_batch(seed, rows, observation, action))
        del native
for pixels in SELF_TESTS:
    check_pixels(library, pixels)
for rows, shape, pixels, threads in (
    (1, (1, 1, 1), FastPixels(patches=(1,), filters=(1,), units=13, shift_px=3), 2),
    (33, (32, 32, 3), FastPixels(), 3),
    (12, (18, 6, 4), FastPixels(patches=(3, 1, 2), filters=(5, 17, 70), units=13, shift_px=9), 1),
    (1, (2, 2, 1), PaperPixels(filters=(1,)), 2),
    (33, (32, 32, 3), PaperPixels(), 3),
    (12, (19, 9, 4), PaperPixels(filters=(5, 17, 33)), 1),
):
    chosen = SacSettings(hidden_units=(31, 7), batch_size=rows)
    native = NativePixelSac(library, chosen, pixels, shape, 5, 3, 0, threads)
    for seed in range(3):
        native.update(make_pixel_batch(seed, rows, shape, 5, 3))
    del native
print("clean")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sanitizers", "runtime"), [("address,undefined", "libasan.so"), ("thread", "libtsan.so")]
)
def test_the_sanitizers_find_nothing(tmp_path: Path, sanitizers: str, runtime: str) -> None:
    library_or_skip()
    tool = next(filter(None, map(shutil.which, compiler.COMPILERS)))
    library = tmp_path / "sanitized.so"
    flags = [f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all", "-g", "-O1"]
    command = [tool, *compiler.FLAGS, *flags, "-o", str(library), str(compiler.SOURCE)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no sanitizers here: {done.stderr[-300:]}")
    preloaded = subprocess.run(
        [tool, f"-print-file-name={runtime}"], capture_output=True, text=True, check=True
    ).stdout.strip()
    told = subprocess.run(
        [sys.executable, "-c", SANITIZED, str(library)],
        capture_output=True,
        text=True,
        # Python itself leaves memory behind; the core's is freed before the end.
        env={**os.environ, "LD_PRELOAD": preloaded, "ASAN_OPTIONS": "detect_leaks=0"}
        | {"PYTHONPATH": str(Path(__file__).parents[2]), "TSAN_OPTIONS": "exitcode=66"},
    )
    assert told.returncode == 0, told.stderr[-3000:]
    assert told.stdout.strip() == "clean"


def test_the_package_carries_the_sources() -> None:
    names = {path.name for path in compiler.SOURCE.parent.iterdir()}
    assert {"update.cpp", "heads.h", "own_sight.h", "perceptron.h", "vectors.h"} <= names


def test_no_native_library_without_a_safe_place(place: Path) -> None:
    (place / "cache").mkdir(mode=0o777)
    (place / "cache").chmod(0o777)
    with pytest.raises(NativeUnavailable):
        native_library(environment(place))
