"""Synapses for any time step, so that a circuit can take the variable one.

The packages' synapses multiply their states by ``exp(-dt/tau)`` once a step, with the factor
computed at the start for one fixed step.  `rewrite` states the same decay as the differential
equation it solves, ``A' = -A/tau``, which NEURON integrates exactly under a fixed step
(``cnexp``) and with the rest of the cell under the variable one.  Release stays as it is: it
draws its random numbers when a spike arrives, never between.  Channels that draw them every step
have no meaning under a variable step, so circuits with such keep the fixed one.

Every cell takes steps of its own (NEURON's local variable step; Lytton and Hines 2005, Neural
Computation 17:903-921): a spike that arrives at one cell does not make the others start anew.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from nmc.cells import mechanisms
from nmc.cells.package import SYNAPSES, Package
from nmc.errors import MechanismError, UnknownNameError

MODES = ("fixed", "converged")
#: `benchmarks/circuit.py` measures what it costs and how far its spikes are from tighter ones'.
VARIABLE = {"atol": 1e-4, "max_order": 5}

_SOLVE = re.compile(r"^([ \t]*SOLVE[ \t]+(\w+))[ \t]*$", re.M)
_DECAY = re.compile(r"(\w+)[ \t]*=[ \t]*\1[ \t]*\*[ \t]*\1_step")
#: ``exp(-dt/tau)`` and the packages' ``exp(dt*(( - 1.0 ) / tau))``.
_FACTOR = r"\b{}_step\s*=\s*exp\(\s*(?:-\s*dt\s*/|dt\s*\*\s*\(\s*\(\s*-\s*1\.0\s*\)\s*/)\s*(\w+)"


def choose(packages: Iterable[Package], mode: str, dt_ms: float) -> tuple[dict, str]:
    """Return the integration of a mode for some packages, and a line that says it.

    Parameters
    ----------
    packages : iterable of Package
        The models of the circuit.
    mode : {"fixed", "converged"}
        See `nmc.simulate_circuit`.
    dt_ms : float
        The fixed step.

    Returns
    -------
    how, said : dict, str
        As the worker takes it, and in words.

    Raises
    ------
    UnknownNameError
        There is no such mode.
    """
    if mode not in MODES:
        raise UnknownNameError.of("mode", mode, MODES)
    fixed = {"dt_ms": float(dt_ms), "order": 1}
    said = f"fixed step {dt_ms:g} ms, first order"
    if mode == "fixed":
        return fixed, said
    random = sorted({m for package in packages for m in package.stochastic})
    if random:
        return fixed, f"{said} ({', '.join(random)} draws random numbers every step)"
    order = VARIABLE["max_order"]
    return VARIABLE, (
        f"variable step of each cell, tolerance {VARIABLE['atol']:g}, order up to {order}, "
        "tabulated rates"
    )


def rewrite(text: str) -> str:
    """State the decay of a synapse's MOD text as differential equations.

    Parameters
    ----------
    text : str
        A MOD file whose ``SOLVE`` calls a procedure of lines ``A = A*A_step``.

    Returns
    -------
    str
        The same with a ``DERIVATIVE`` block in the procedure's place; nothing else differs.

    Raises
    ------
    MechanismError
        The text is not of that form.
    """
    solve = _SOLVE.search(text)
    body = solve and re.search(rf"\bPROCEDURE\s+{solve[2]}\s*\(\s*\)\s*\{{([^}}]*)\}}", text)
    states = _DECAY.findall(body[1]) if body else []
    taus = [re.search(_FACTOR.format(state), text) for state in states]
    if not states or not all(taus) or _DECAY.sub("", body[1]).strip():
        raise MechanismError(
            "The decay of this synapse is not a factor a step and a state, exp(-dt/tau); it "
            "cannot be stated for a variable step. Take a fixed one."
        )
    decays = "".join(f"    {s}' = -{s}/{tau[1]}\n" for s, tau in zip(states, taus, strict=True))
    equations = f"DERIVATIVE {solve[2]} {{\n{decays}}}"
    text = text.replace(body[0], equations)
    return _SOLVE.sub(r"\1 METHOD cnexp", text, count=1)


def with_continuous_synapses(package: Package) -> Package:
    """Return a package whose synapses are rewritten; its other files stay where they are.

    Parameters
    ----------
    package : Package
        From `nmc.load_package`.

    Returns
    -------
    Package
        With other ``mods``.

    Raises
    ------
    MechanismError
        The decay of a synapse is of another form.
    """
    texts = mechanisms.port_mods(package.needed_mods(True).values())
    written = {n: _write(n, rewrite(text)) for n, text in texts.items() if n in SYNAPSES}
    return replace(package, mods={**package.mods, **written})


def _write(name: str, text: str) -> Path:
    """Write a rewritten MOD file into the cache, in one piece."""
    from nmc.data.files import cache_folder

    folder = cache_folder() / "variants" / hashlib.sha256(text.encode()).hexdigest()[:24]
    path = folder / f"{name}.mod"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(suffix=".part", dir=folder)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        os.replace(partial, path)
    return path
