"""Compiled mechanisms: each once per content, kept in the cache.

Each library stands in ``<cache>/mechanisms/<key>/`` with a ``manifest.json``; the key hashes
the ported texts, the NEURON version, the compiler flags and the platform.  A package whose
mechanisms are all in libraries that stand already compiles nothing; otherwise only what is
missing is compiled.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from nmc.cells import porting
from nmc.errors import CompilerError, MechanismError

if TYPE_CHECKING:
    from nmc.cells.package import Package

_COMPILE_SECONDS = 600
_log = logging.getLogger(__name__)


#: ``exact`` is the ported text as it stands, compiled with NEURON's own flags; ``tabulated``
#: looks voltage-dependent rates up in tables and is compiled for this processor.
VARIANTS = ("exact", "tabulated")


def libraries_of(
    packages: Iterable[Package], *, synapses: bool = False, variant: str = "exact"
) -> tuple[Path, ...]:
    """Return the compiled mechanisms of some packages, compiling what is missing.

    Parameters
    ----------
    packages : iterable of Package
        Known or trusted ones.
    synapses : bool
        Those of their synapses, too.
    variant : {"exact", "tabulated"}
        See `VARIANTS`.

    Returns
    -------
    tuple of pathlib.Path
        As `library_for`.

    Raises
    ------
    TrustError
        A package is neither known nor trusted; nothing is compiled.
    MechanismError, CompilerError
        As `library_for`.
    """
    texts: dict[str, str] = {}
    for package in packages:
        package.check_trusted()
        for name, text in port_mods(package.needed_mods(synapses).values()).items():
            new = package.renamed.get(name, name)
            _add(texts, new, porting.rename(text, name, new))
    return _library_for(texts, variant)


def rename_clashes(packages: Iterable[Package], taken: dict[str, str] | None = None) -> list:
    """Let packages run in one process whose MOD files differ under one name.

    The first package's mechanism keeps the name; another one of that name is called after its
    content, in the MOD file and in the HOC code that inserts it, when they are loaded.

    Parameters
    ----------
    packages : iterable of Package
        In the order in which names are given.
    taken : dict of str to str, optional
        Mechanism name → content hash of those in the process already; those of the packages
        are added.

    Returns
    -------
    list of Package
        The same, with ``renamed`` where need be; a warning in the log says which.
    """
    taken = {} if taken is None else taken
    found = []
    for package in packages:
        renamed = {}
        for name, text in port_mods(package.needed_mods(True).values()).items():
            own = _sha256(text)
            if taken.setdefault(name, own) != own:
                renamed[name] = f"{name}_{own[:8]}"
        if renamed:
            _log.warning(
                "%s: %s differ from another package's of the same name; here they are called %s.",
                package.name, ", ".join(renamed), ", ".join(renamed.values()),
            )  # fmt: skip
            package = replace(package, renamed=MappingProxyType(renamed))
        found.append(package)
    return found


def library_for(mods: Iterable[Path], *, variant: str = "exact") -> tuple[Path, ...]:
    """Return the compiled libraries that hold some MOD files, compiling what is missing.

    What is compiled runs as native code: whoever calls this says that the files may.

    Parameters
    ----------
    mods : iterable of pathlib.Path
        MOD files; of several packages too, as long as equal names have equal content.
    variant : {"exact", "tabulated"}
        See `VARIANTS`.

    Returns
    -------
    tuple of pathlib.Path
        Shared libraries for ``nrn_load_dll``, without a mechanism twice.

    Raises
    ------
    MechanismError
        Two files of one name differ.
    CompilerError
        ``nrnivmodl`` is missing or failed; carries its last lines.
    """
    return _library_for(port_mods(mods), variant)


def _library_for(texts: dict[str, str], variant: str) -> tuple[Path, ...]:
    if variant == "tabulated":
        texts = {name: porting.tabulate(text) for name, text in texts.items()}
    if not texts:
        return ()
    build = build_tag(variant)
    wanted = {name: _sha256(text) for name, text in texts.items()}
    if found := _cover(wanted, build):
        return found
    with _locked():
        if found := _cover(wanted, build):  # another process may have compiled it meanwhile
            return found
        present = _disjoint(wanted, build)
        missing = {n: t for n, t in texts.items() if not any(n in m for _, m in present)}
        compiled = _compile(missing, build)
        return (*(library for library, _ in present), compiled)


def port_mods(mods: Iterable[Path]) -> dict[str, str]:
    """Ported text by mechanism file name; two different texts of one name are an error."""
    texts: dict[str, str] = {}
    for path in map(Path, mods):
        _add(texts, path.stem, porting.port(path.read_text("utf-8", "replace"))[0])
    return texts


def _add(texts: dict[str, str], name: str, text: str) -> None:
    if texts.setdefault(name, text) != text:
        raise MechanismError(
            f"Two different files are called {name}.mod; one NEURON process can hold only one of "
            "them. Run these models in runs of their own."
        )


def build_tag(variant: str = "exact") -> dict[str, str]:
    """What a compiled library depends on besides its MOD files."""
    machine = platform.machine()
    tag = {
        "neuron": version("neuron"),
        "flags": "",
        "platform": f"{platform.system()}-{machine}",
    }
    if variant == "tabulated":
        own = machine == "x86_64"
        tag["flags"] = "-O3 -march=native" if own else "-O3"
        tag["processor"] = _processor() if own else ""
    return tag


@cache
def _processor() -> str:
    """Hash of what this processor can do: code compiled for it may not run on another."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return _sha256("".join(sorted({line for line in lines if line.startswith("flags")})))[:16]


def _root() -> Path:
    from nmc.data.files import cache_folder

    return cache_folder() / "mechanisms"


def _standing(build: dict[str, str]) -> Iterator[tuple[Path, dict[str, str]]]:
    """Libraries of this build in the cache, with mechanism name → hash; biggest first."""
    found = []
    for manifest in _root().glob("*/manifest.json"):
        entry = json.loads(manifest.read_text("utf-8"))
        if entry["build"] == build:
            found.append((manifest.parent / entry["library"], entry["mods"]))
    return iter(sorted(found, key=lambda item: (-len(item[1]), str(item[0]))))


def _disjoint(wanted: dict[str, str], build: dict[str, str]) -> list[tuple[Path, dict[str, str]]]:
    """Pick standing libraries that hold wanted mechanisms and agree with one another.

    A library may hold more than is wanted, but nothing under a wanted name with other content,
    and no name that a library picked before holds.
    """
    picked: list[tuple[Path, dict[str, str]]] = []
    for library, mods in _standing(build):
        useful = any(wanted.get(name) == digest for name, digest in mods.items())
        clash = any(wanted.get(name, digest) != digest for name, digest in mods.items())
        overlap = any(name in other for _, other in picked for name in mods)
        if useful and not clash and not overlap:
            picked.append((library, mods))
    return picked


def _cover(wanted: dict[str, str], build: dict[str, str]) -> tuple[Path, ...]:
    picked = _disjoint(wanted, build)
    held = {name for _, mods in picked for name in mods}
    return tuple(library for library, _ in picked) if held >= set(wanted) else ()


@contextmanager
def _locked() -> Iterator[None]:
    """Let one process compile at a time; the others wait and then find the library."""
    import fcntl

    _root().mkdir(parents=True, exist_ok=True)
    with (_root() / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _compile(texts: dict[str, str], build: dict[str, str]) -> Path:
    """Compile ported MOD texts into the cache; nothing is left there when it fails."""
    mods = {name: _sha256(text) for name, text in sorted(texts.items())}
    key = _sha256(json.dumps([mods, build], sort_keys=True))[:24]
    work = Path(tempfile.mkdtemp(prefix=".building-", dir=_root()))
    try:
        source = work / "mod"
        source.mkdir()
        for name, text in texts.items():
            (source / f"{name}.mod").write_text(text, "utf-8")
        _run_compiler(work, build["flags"])
        library = _built_library(work)
        manifest = {"library": library.name, "mods": mods, "build": build}
        final = work / "final"
        final.mkdir()
        shutil.copy2(library, final / library.name)
        (final / "manifest.json").write_text(json.dumps(manifest, indent=1), "utf-8")
        target = _root() / key
        shutil.rmtree(target, ignore_errors=True)  # only ever a damaged one
        os.replace(final, target)
        return target / library.name
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _run_compiler(work: Path, flags: str) -> None:
    scripts = sysconfig.get_path("scripts")
    path = os.pathsep.join([scripts, str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    compiler = shutil.which("nrnivmodl", path=path)
    if compiler is None:
        raise CompilerError(
            "NEURON's mechanism compiler nrnivmodl was not found; reinstall neuron."
        )
    log = work / "compiler.log"
    with log.open("wb") as out:
        try:
            done = subprocess.run(
                [compiler, *(["-incflags", flags] if flags else []), "mod"],
                cwd=work,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PATH": path},
                timeout=_COMPILE_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise CompilerError(
                f"nrnivmodl did not finish within {_COMPILE_SECONDS} s. Its last lines:\n"
                + _last_lines(log)
            ) from error
    if done.returncode:
        raise CompilerError(
            "nrnivmodl could not compile the mechanisms. It needs a C++ compiler and make "
            "(Debian and Ubuntu: apt-get install g++ make; macOS: xcode-select --install). "
            "Its last lines:\n" + _last_lines(log)
        )


def _built_library(work: Path) -> Path:
    found = [p for p in work.glob("*/libnrnmech.*") if p.suffix in {".so", ".dylib"}]
    if not found:
        raise CompilerError(
            "nrnivmodl left no library behind. Its last lines:\n"
            + _last_lines(work / "compiler.log")
        )
    return found[0]


def _last_lines(log: Path, count: int = 12) -> str:
    text = log.read_text("utf-8", "replace")
    lines = text.partition("Traceback (most")[0].splitlines()  # nrnivmodl's wrapper adds its own
    telling = [line for line in lines if "error" in line.lower()][:4]
    return "\n".join([*telling, *lines[-count:]])


def _sha256(content: str | bytes) -> str:
    raw = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(raw).hexdigest()
