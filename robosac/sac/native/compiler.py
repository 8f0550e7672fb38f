"""Building the native core with the system's compiler, and keeping what was built.

What is kept is executed later, so it lies where nobody else may write, is named by the digest of
everything it was made from and of itself, and is checked against its name before it is loaded.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from robosac.errors import NativeUnavailable
from robosac.sac.settings import Products

SOURCE = Path(__file__).parent / "update.cpp"
COMPILERS = ("c++", "g++", "clang++")
"""Names that are looked for, in this order."""
FLAGS = (
    "-std=c++17",
    "-O3",
    "-march=native",
    # Multiply and add in one rounding; nothing else of the arithmetic may be rearranged.
    "-ffp-contract=fast",
    "-fno-exceptions",
    "-fno-rtti",
    "-fvisibility=hidden",
    "-fPIC",
    "-shared",
    "-pthread",
)
PRODUCTS: Mapping[Products, tuple[str, ...]] = {
    "float32": (),
    "bfloat16": ("-DROBOSAC_BFLOAT16",),
}
"""Flags for each."""
TILES = "amx_bf16"
"""How Linux names the unit that multiplies in bfloat16."""
BUILD_TIMEOUT_S = 120.0
NOTICE = "building the learner's native core, once on this computer; some ten seconds"
OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def unheard(line: str) -> None:
    """What is told when nobody listens."""
    del line


def built(
    environment: Mapping[str, str] = os.environ,
    products: Products = "float32",
    tell: Callable[[str], None] = unheard,
) -> Path:
    """The native core as a shared library: kept from before, or built now (about 10 s).

    Args:
        environment: PATH tells where compilers are, XDG_CACHE_HOME or HOME where to keep it.
        products: what it shall multiply in.
        tell: is told before the compiler keeps one waiting.

    Raises:
        NativeUnavailable: no compiler, it fails, or there is no safe place; the message says which.
    """
    compiler = compiler_in(environment)
    try:
        folder = cache_folder(environment)
        command = [compiler, *FLAGS, *PRODUCTS[products]]
        key = _key(command, environment)
        kept = _kept(folder, key)
        if kept is not None:
            return kept
        tell(NOTICE)
        return _build(command, folder, key, environment)
    except (OSError, subprocess.SubprocessError) as error:
        raise NativeUnavailable(f"{compiler} cannot build the native core: {error}") from error


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Where built cores are kept; made, mode 0700, where it is not there.

    Raises:
        NativeUnavailable: another user could put something there.
        OSError: it cannot be made.
    """
    given, home = environment.get("XDG_CACHE_HOME", ""), environment.get("HOME", "")
    # The XDG base directory specification: a relative path is to be ignored.
    if not os.path.isabs(given) and not os.path.isabs(home):
        raise NativeUnavailable("no place to keep it: neither XDG_CACHE_HOME nor HOME is a path")
    root = Path(given) if os.path.isabs(given) else Path(home) / ".cache"
    folder = root / "robosac" / "native"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = folder.resolve()
    for place in (folder, *folder.parents):
        found = place.stat()
        # As in /tmp, where others may add but not replace.
        sticky = place != folder and found.st_mode & stat.S_ISVTX
        if found.st_uid not in (0, os.geteuid()) or (
            found.st_mode & OTHERS_MAY_WRITE and not sticky
        ):
            raise NativeUnavailable(
                f"{place} may be written by others; nothing is built, and nothing loaded from there"
            )
    return folder


def compiler_in(environment: Mapping[str, str]) -> str:
    """The compiler that PATH offers. Raises NativeUnavailable: none."""
    for name in COMPILERS:
        found = shutil.which(name, path=environment.get("PATH", ""))
        # A relative entry of PATH would mean whatever lies in the present folder.
        if found is not None and os.path.isabs(found):
            return found
    raise NativeUnavailable(f"no compiler: none of {', '.join(COMPILERS)} is on PATH")


def _key(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Digest of all that decides what a build gives."""
    version = _run([command[0], "--version"], environment)
    digest = hashlib.sha256()
    for path in sorted(SOURCE.parent.iterdir()):
        if path.suffix in (".cpp", ".h"):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    for part in (*command, version, processor()):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()


def processor() -> str:
    """What `-march=native` looks at: the processor's name and units, as far as they are told."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return f"{platform.system()} {platform.machine()} {platform.processor()}"
    wanted = ("model name", "flags", "Features", "CPU part")
    lines = set(info.read_text(encoding="utf-8").splitlines())
    return "\n".join(sorted(line for line in lines if line.startswith(wanted)))


def has_tiles() -> bool:
    """Whether this processor says that it multiplies in bfloat16 (AMX)."""
    return TILES in processor().split()


def _kept(folder: Path, key: str) -> Path | None:
    """A library of that key that is still what was built; one that is not is removed."""
    for path in sorted(folder.glob(f"{key}-*.so")):
        found = path.lstat()
        ours = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
        if ours and not found.st_mode & OTHERS_MAY_WRITE and path.name == _name(key, path):
            return path
        path.unlink()
    return None


def _build(command: Sequence[str], folder: Path, key: str, environment: Mapping[str, str]) -> Path:
    with _workplace(folder) as place:
        library = place / "native.so"
        _run([*command, "-o", str(library), str(SOURCE)], environment)
        library.chmod(0o700)
        target = folder / _name(key, library)
        # Two processes that build at once make the same name, or each its own.
        library.replace(target)
    return target


@contextmanager
def _workplace(folder: Path) -> Iterator[Path]:
    """A folder beside what is kept, so that a finished file can be renamed into its place."""
    with tempfile.TemporaryDirectory(prefix=".building-", dir=folder) as place:
        yield Path(place)


def _name(key: str, library: Path) -> str:
    return f"{key}-{hashlib.sha256(library.read_bytes()).hexdigest()}.so"


def _run(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """What the command prints.

    Raises:
        NativeUnavailable: it fails; the message is its first line about it.
        OSError, subprocess.SubprocessError: it does not start, or takes too long.
    """
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        timeout=BUILD_TIMEOUT_S,
        env={**environment, "LC_ALL": "C"},
    )
    if done.returncode != 0:
        words = [line for line in done.stderr.splitlines() if "error" in line] or ["no word"]
        raise NativeUnavailable(f"{command[0]} ended with {done.returncode}: {words[0]}")
    return done.stdout
