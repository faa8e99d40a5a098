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
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

from tqdm import tqdm

from nmc.cells import known, porting
from nmc.cells.package import Package
from nmc.data.files import atomic_folder, cache_folder, read_json, writing
from nmc.errors import CompilerError, MechanismError

try:
    import fcntl
except ImportError:  # Windows, where NEURON has no nrnivmodl either
    fcntl = None  # type: ignore[assignment]

#: ``exact`` is the ported text as it stands, compiled with NEURON's own flags; ``tabulated``
#: looks voltage-dependent rates up in tables and is compiled for this processor.
VARIANTS = ("exact", "tabulated")

_COMPILE_SECONDS = 600
_log = logging.getLogger(__name__)


def libraries_of(
    packages: Iterable[Package],
    *,
    synapses: bool = False,
    variant: str = "exact",
    loaded: Collection[str] = (),
) -> tuple[Path, ...]:
    """Return the compiled mechanisms of known or trusted packages as `library_for` does.

    With `synapses`, those of their synapses too; nothing that is `loaded` in the process already.
    """
    texts: dict[str, str] = {}
    ours = True
    for package in packages:
        package.check_trusted()
        ours = ours and known.find(package.content_sha256) is not None
        for name, text in ported(package, synapses).items():
            new = package.renamed.get(name, name)
            _add(texts, new, porting.rename(text, name, new))
    missing = {name: text for name, text in texts.items() if name not in loaded}
    return _libraries(missing, variant, ours, frozenset(loaded))


def library_for(mods: Iterable[Path], *, variant: str = "exact") -> tuple[Path, ...]:
    """Return the compiled libraries that hold some MOD files, compiling what is missing.

    They run as native code: whoever calls this says that the files may.  The files may be of
    several packages, as long as equal names have equal content (else MechanismError).
    """
    return _libraries(port_mods(mods), variant)


def rename_clashes(
    packages: Iterable[Package], taken: dict[str, str] | None = None
) -> list[Package]:
    """Let packages run in one process whose MOD files differ under one name.

    The first package's mechanism keeps the name, another one's is called after its content.
    `taken` has the hashes of what the process holds already; those of the packages are added.
    """
    taken = {} if taken is None else taken
    found = []
    for package in packages:
        texts = ported(package, True)
        hashes = {name: _sha256(text) for name, text in texts.items()}
        renamed = {
            name: f"{name}_{own[:8]}"
            for name, own in hashes.items()
            if taken.setdefault(name, own) != own
        }
        if renamed:
            _log.warning(
                "%s: %s differ from another package's of the same name; here they are called %s.",
                package.name, ", ".join(renamed), ", ".join(renamed.values()),
            )  # fmt: skip
            package = replace(package, renamed=MappingProxyType(renamed))
        found.append(package)
    return found


def ported(package: Package, synapses: bool = False) -> dict[str, str]:
    """Ported text of a package's `needed_mods`, as they were when it was loaded."""
    return {
        name: porting.port(package.text(f"mechanisms/{name}.mod"))[0]
        for name in package.needed_mods(synapses)
    }


def port_mods(mods: Iterable[Path]) -> dict[str, str]:
    """Ported text by mechanism file name; two different texts of one name are an error."""
    texts: dict[str, str] = {}
    for path in map(Path, mods):
        _add(texts, path.stem, porting.port(path.read_text("utf-8", "replace"))[0])
    return texts


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


def _add(texts: dict[str, str], name: str, text: str) -> None:
    if texts.setdefault(name, text) != text:
        raise MechanismError(
            f"Two different files are called {name}.mod; one NEURON process can hold only one of "
            "them. Run these models in runs of their own."
        )


def mechanisms_in(library: Path) -> dict[str, str]:
    """Return the content hash of each mechanism that a library of the cache holds."""
    return json.loads((library.parent / "manifest.json").read_text("utf-8"))["mods"]


def _libraries(
    texts: dict[str, str], variant: str, ours: bool = False, loaded: frozenset[str] = frozenset()
) -> tuple[Path, ...]:
    """Find or compile; ``ours`` says that all texts are of known packages."""
    if variant == "tabulated":
        texts = {name: porting.tabulate(text) for name, text in texts.items()}
    build, wanted = build_tag(variant), {name: _sha256(text) for name, text in texts.items()}
    found, held = _in_cache(wanted, build, loaded)
    if held >= wanted.keys():
        return tuple(found)
    with _one_at_a_time():
        # Another process may have compiled it meanwhile.
        found, held = _in_cache(wanted, build, loaded)
        missing = {name: text for name, text in texts.items() if name not in held}
        return (*found, *([_compile(missing, build, ours)] if missing else []))


def _in_cache(
    wanted: dict[str, str], build: dict[str, str], loaded: frozenset[str]
) -> tuple[list[Path], set[str]]:
    """Pick libraries of the cache, the biggest first; return them and the mechanisms they hold.

    One of known packages may hold more than is wanted, but nothing of a wanted or loaded name
    with other content; any other holds code that runs only if trusted, so all must be wanted.
    """
    entries = []
    for manifest in (cache_folder() / "mechanisms").glob("*/manifest.json"):
        entry = read_json(manifest) or {}  # a damaged one is compiled again
        library = manifest.parent / str(entry.get("library"))
        if (
            entry.get("build") == build
            and library.is_file()
            and (entry.get("known") or entry["mods"].items() <= wanted.items())
        ):
            entries.append((library, entry["mods"]))
    found: list[Path] = []
    held = set(loaded)
    for library, mods in sorted(entries, key=lambda entry: (-len(entry[1]), str(entry[0]))):
        clash = any(wanted.get(name, digest) != digest for name, digest in mods.items())
        if mods.items() & wanted.items() and not clash and not held & mods.keys():
            found.append(library)
            held |= mods.keys()
    return found, held


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Let one process compile at a time; the others wait and then find the library."""
    root = cache_folder() / "mechanisms"
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as handle:
        if fcntl:
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _compile(texts: dict[str, str], build: dict[str, str], ours: bool = False) -> Path:
    """Compile ported MOD texts into the cache; nothing is left there when it fails."""
    mods = {name: _sha256(text) for name, text in sorted(texts.items())}
    target = cache_folder() / "mechanisms" / _sha256(json.dumps([mods, build], sort_keys=True))[:24]
    with tempfile.TemporaryDirectory(prefix="nmc-compile-") as name:
        work = Path(name)
        (work / "mod").mkdir()
        for mechanism, text in texts.items():
            (work / "mod" / f"{mechanism}.mod").write_text(text, "utf-8")
        library = _run_compiler(work, build["flags"], len(texts))
        shutil.rmtree(target, ignore_errors=True)  # only ever a damaged one
        with writing("A compiled library"), atomic_folder(target) as folder:
            shutil.copy2(library, folder / library.name)
            manifest = {"library": library.name, "mods": mods, "build": build, "known": ours}
            (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), "utf-8")
    return target / library.name


def _run_compiler(work: Path, flags: str, count: int) -> Path:
    """Run ``nrnivmodl``, which compiles four files at a time, and return its library."""
    places = sysconfig.get_path("scripts"), Path(sys.executable).parent, os.environ.get("PATH", "")
    path = os.pathsep.join(map(str, places))
    compiler = shutil.which("nrnivmodl", path=path)
    if compiler is None:
        raise CompilerError(
            "NEURON's mechanism compiler nrnivmodl was not found; reinstall neuron."
        )
    command = [compiler, *(["-incflags", flags] if flags else []), "mod"]
    log, deadline = work / "compiler.log", time.monotonic() + _COMPILE_SECONDS
    bar = tqdm(total=count, desc="compiling ion channels", leave=False, delay=1.0, disable=None)
    with log.open("wb") as out, bar:
        process = subprocess.Popen(
            command, cwd=work, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": path}, start_new_session=True,
        )  # fmt: skip
        try:
            while process.poll() is None:
                if time.monotonic() > deadline:
                    raise CompilerError(
                        f"nrnivmodl did not finish within {_COMPILE_SECONDS} s." + _last_lines(log)
                    )
                time.sleep(0.05)
                bar.update(min(count, len(list(work.glob("*/*.o")))) - bar.n)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 9)
                process.wait()
    if process.returncode:
        raise CompilerError(
            "nrnivmodl could not compile the mechanisms. It needs a C++ compiler and make "
            "(Debian and Ubuntu: apt-get install g++ make; macOS: xcode-select --install)."
            + _last_lines(log)
        )
    found = [p for p in work.glob("*/libnrnmech.*") if p.suffix in {".so", ".dylib"}]
    if not found:
        raise CompilerError("nrnivmodl left no library behind." + _last_lines(log))
    return found[0]


def _last_lines(log: Path, count: int = 12) -> str:
    text = log.read_text("utf-8", "replace")
    lines = text.partition("Traceback (most")[0].splitlines()  # nrnivmodl's wrapper adds its own
    telling = [line for line in lines if "error" in line.lower()][:4]
    return " Its last lines:\n" + "\n".join([*telling, *lines[-count:]])


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
