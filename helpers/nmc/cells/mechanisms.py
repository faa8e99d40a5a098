"""Mechanisms ported and compiled, and runs that load them: each once per content, in the cache.

Each library stands in ``<cache>/mechanisms/<key>/``; the key hashes the ported texts, the NEURON
version, the compiler flags and the platform.  One library holds just what one run needs: NEURON
adds up currents in the order in which mechanisms come, so a run in which they came from several,
by what happened to be compiled before, would differ in its last bits, and where a cell hesitates,
in its spikes.  Results stand in ``<cache>/results/``, an ``.npz`` a run.

The portal's mechanisms were written for NEURON 7.3; a few old forms no longer compile as the C++
of NEURON 9.  The rules of `port` leave the meaning unchanged; one of them mends a mistake.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from tqdm import tqdm

from nmc import child
from nmc.cells.package import Package
from nmc.code_hash import code_hash
from nmc.data.files import NPZ_ERRORS, atomic_folder, atomic_write, cache_folder, writing
from nmc.errors import CompilerError, MechanismError


@dataclass(frozen=True)
class Rule:
    """One idiom: what is looked for, what replaces it, and why."""

    name: str
    pattern: re.Pattern
    replacement: str
    reason: str


def read_rules(kind: str) -> tuple[Rule, ...]:
    """Read the rules for mechanisms (``mod``) or the packages' Python (``script``)."""
    told = tomllib.loads((files("nmc.cells") / "port.toml").read_text("utf-8"))
    return tuple(Rule(**{**one, "pattern": re.compile(one["pattern"])}) for one in told[kind])


RULES = read_rules("mod")


def port(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the ported MOD text and the names of the rules that changed it."""
    applied = []
    for rule in RULES:
        text, count = rule.pattern.subn(rule.replacement, text)
        if count:
            applied.append(rule.name)
    return text, tuple(applied)


def rename(text: str, old: str, new: str) -> str:
    """Give the mechanism that a MOD text defines another name."""
    pattern = rf"\b((?:SUFFIX|POINT_PROCESS|ARTIFICIAL_CELL)\s+){re.escape(old)}\b"
    return text if old == new else re.sub(pattern, rf"\g<1>{new}", text)


_RATES = re.compile(r"PROCEDURE\s+(\w*rates)\s*\(\s*(?:v\s*(?:\(mV\))?\s*)?\)\s*\{")
_LOCAL = re.compile(r"\s*LOCAL[^\n]*\n")
#: Range and number of intervals of the tables: 0.05 mV apart, far beyond what a cell visits.
TABLE_MV, TABLE_INTERVALS = (-150, 100), 5000


def tabulate(text: str) -> str:
    """Give a voltage-dependent ``rates`` procedure a ``TABLE`` in steps of 0.05 mV, if it can."""
    found = _RATES.search(text)
    if not found or re.search(r"^[ \t]*TABLE\b", text, re.M) or "VERBATIM" in text:
        return text
    body = text[found.end() : _closing(text, found.end())]
    rates = dict.fromkeys(re.findall(r"^[ \t]*(\w*(?:inf|tau))[ \t]*=", body, re.M | re.I))
    if not rates:
        return text
    depends = " DEPEND celsius" if re.search(r"\bcelsius\b", body) else ""
    table = (
        f"\n    TABLE {', '.join(rates)}{depends} FROM {TABLE_MV[0]} TO {TABLE_MV[1]}"
        f" WITH {TABLE_INTERVALS}\n"
    )
    after = found.end()
    if local := _LOCAL.match(text, after):  # NMODL wants LOCAL first
        after = local.end()
    name = found[1]
    head = text[: found.start()] + f"PROCEDURE {name}(v (mV)) {{" + text[found.end() : after]
    return re.sub(rf"\b{name}\(\s*\)", f"{name}(v)", head + table + text[after:])


def _closing(text: str, start: int) -> int:
    """Index of the brace that closes a block opened just before `start`."""
    depth = 1
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return place
    return len(text)


_COMPILE_SECONDS = 600
_log = logging.getLogger(__name__)


def libraries_of(
    packages: Iterable[Package], *, synapses: bool = False, variant: str = "exact"
) -> tuple[Path, ...]:
    """Return the library of the mechanisms of known or trusted packages, compiled if need be.

    With `synapses`, those of their synapses too.
    """
    return library_of(texts_of(packages, synapses), variant)


def texts_of(packages: Iterable[Package], synapses: bool = False) -> dict[str, str]:
    """Return the ported text of each mechanism of known or trusted packages."""
    texts: dict[str, str] = {}
    for package in packages:
        package.check_trusted()
        for name, text in ported(package, synapses).items():
            new = package.renamed.get(name, name)
            _add(texts, new, rename(text, name, new))
    return texts


def library_for(mods: Iterable[Path], *, variant: str = "exact") -> tuple[Path, ...]:
    """Return the library of some MOD files, compiled if need be.

    They run as native code: whoever calls this says that the files may.  The files may be of
    several packages, as long as equal names have equal content (else MechanismError).
    """
    texts: dict[str, str] = {}
    for path in map(Path, mods):
        _add(texts, path.stem, port(path.read_text("utf-8", "replace"))[0])
    return library_of(texts, variant)


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
        hashes = hashes_of(ported(package, True))
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
        name: port(package.text(f"mechanisms/{name}.mod"))[0]
        for name in package.needed_mods(synapses)
    }


def build_tag(variant: str = "exact") -> dict[str, str]:
    """What a compiled library depends on besides its MOD files.

    The variant ``exact`` is the ported text as it stands, compiled with NEURON's own flags;
    ``tabulated`` looks voltage-dependent rates up in tables and is compiled for this processor.
    """
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


def library_of(texts: dict[str, str], variant: str = "exact") -> tuple[Path, ...]:
    """Return the library of just these mechanisms, compiled if need be; none of none."""
    if variant == "tabulated":
        texts = {name: tabulate(text) for name, text in texts.items()}
    build = build_tag(variant)
    key = _sha256(json.dumps([hashes_of(texts), build], sort_keys=True))[:24]
    target = cache_folder() / "mechanisms" / key
    if not texts:
        return ()
    if found := _compiled(target):
        return (found,)
    with _one_at_a_time():  # another process may have compiled it meanwhile
        return (_compiled(target) or _compile(texts, build["flags"], target),)


def hashes_of(texts: dict[str, str]) -> dict[str, str]:
    """Return the hash of each mechanism's text."""
    return {name: _sha256(text) for name, text in texts.items()}


def _compiled(folder: Path) -> Path | None:
    return next((path for path in folder.glob("libnrnmech.*") if path.is_file()), None)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Let one process compile at a time; the others wait and then find the library."""
    root = cache_folder() / "mechanisms"
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _compile(texts: dict[str, str], flags: str, target: Path) -> Path:
    """Compile ported MOD texts into the cache; nothing is left there when it fails."""
    with tempfile.TemporaryDirectory(prefix="nmc-compile-") as name:
        work = Path(name)
        (work / "mod").mkdir()
        for mechanism, text in texts.items():
            (work / "mod" / f"{mechanism}.mod").write_text(text, "utf-8")
        library = _run_compiler(work, flags, len(texts))
        shutil.rmtree(target, ignore_errors=True)  # only ever a damaged one
        with writing("A compiled library"), atomic_folder(target) as folder:
            shutil.copy2(library, folder / library.name)
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
            env={**os.environ, "PATH": path, "LC_ALL": "C"}, start_new_session=True,
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


def run_cached(
    task: str,
    params: dict,
    packages: list[Package],
    *,
    synapses: bool = False,
    variant: str = "exact",
    keep: bool = True,
    **limits,
) -> tuple[dict, dict[str, np.ndarray]]:
    """Run a worker task over packages, or return what the same run gave before.

    `task`, `params` and `limits` are those of `nmc.child.run_child`; cells stand in
    ``params["cell"]`` or ``["cells"]``.  Without `keep` it runs anew and keeps nothing.
    """

    def run() -> tuple[dict, dict[str, np.ndarray]]:
        libraries = libraries_of(packages, synapses=synapses, variant=variant)
        label = ", ".join(dict.fromkeys(package.name for package in packages))
        return child.run_child(task, params, libraries=libraries, label=label, **limits)

    return make_once(task, params, run, variant=variant) if keep else run()


def make_once(
    call: str, params: dict, make: Callable[[], tuple[dict, dict]], *, variant: str = "tabulated"
) -> tuple[dict, dict[str, np.ndarray]]:
    """Return what a call (``"package.module:function"``) gave before for these, else make it."""
    key = result_key(call, params, build_tag(variant))
    if found := load_result(key):
        return found
    meta, arrays = make()
    keep_result(key, meta, arrays)
    return meta, arrays


def results_folder() -> Path:
    """Where results are kept."""
    return cache_folder() / "results"


def clear_results() -> int:
    """Delete every cached result.

    Returns
    -------
    int
        How many results there were.
    """
    folder = results_folder()
    count = len(list(folder.glob("*.npz")))
    shutil.rmtree(folder, ignore_errors=True)
    return count


def result_key(call: str, params: dict, build: dict) -> str:
    """Name of a result: call, parameters, package content, code and NEURON version hashed.

    Arrays count as lists, and stimuli as what their ``plain`` returns.
    """
    plain = json.loads(json.dumps(params, default=_plain))
    for spec in [plain.get("cell"), *plain.get("cells", [])]:
        if spec:
            spec.pop("folder")  # where the package lies does not matter; its sha256 is in
    code = code_hash(call.partition(":")[0], child.__name__, __name__)
    told = [call, plain, build, version("neuron"), code]
    return _sha256(json.dumps(told, sort_keys=True))[:32]


def _plain(value: Any) -> Any:
    if hasattr(value, "plain"):
        return value.plain()
    return value.tolist() if hasattr(value, "tolist") else repr(value)


def load_result(key: str) -> tuple[dict, dict[str, np.ndarray]] | None:
    """Return a cached result, or None; a damaged file counts as none."""
    path = results_folder() / f"{key}.npz"
    try:
        with np.load(path) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return json.loads(str(arrays.pop("_meta"))), arrays
    except NPZ_ERRORS:
        return None


def keep_result(key: str, meta: dict, arrays: dict[str, np.ndarray]) -> None:
    """Write a result in one piece."""
    with atomic_write(results_folder() / f"{key}.npz") as path, path.open("wb") as out:
        told: dict[str, Any] = {"_meta": np.array(json.dumps(meta)), **arrays}
        np.savez_compressed(out, **told)
