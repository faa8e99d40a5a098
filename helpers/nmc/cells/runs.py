"""Whole-cell recordings for the eye: which sections to record, and frames of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from nmc import names
from nmc.cells.morphology import section_points
from nmc.cells.package import Package
from nmc.cells.protocols import as_package
from nmc.errors import FormatError

#: The soma first, then dendrites: what a picture of the tree shows.
_DRAWN = ("soma", "dend", "apic")


def record_sections(
    model: str | names.Model | Path | Package, n_sections: int = 80
) -> dict[str, str]:
    """Name recordings all over a cell, for the ``record`` of any ``simulate_*`` call.

    Parameters
    ----------
    model : str, Model, pathlib.Path or Package
        As for `nmc.simulate_step`.
    n_sections : int
        At most how many sections, spread evenly over the dendrites.

    Returns
    -------
    dict of str to str
        Section → its middle's voltage, e.g. ``{"dend[3]": "dend[3](0.5).v"}``.

    Raises
    ------
    PackageError
        The package or its morphology cannot be read.
    """
    sections = [s for s in section_points(as_package(model)) if s != "soma[0]"]
    kept = np.linspace(0, len(sections) - 1, min(n_sections, len(sections))).round().astype(int)
    chosen = [sections[i] for i in np.unique(kept)] if sections else []
    return {section: f"{section}(0.5).v" for section in ["soma[0]", *chosen]}


@dataclass(frozen=True, eq=False)
class Frames:
    """Voltages of recorded sections at regular times.

    Attributes
    ----------
    t_ms : (F,) array
        Start of each frame.
    sections : tuple of str
        Recorded sections, S of them.
    v_mV : (F, S) array
        The highest voltage within each frame, so that no spike falls between two frames.
    """

    t_ms: np.ndarray
    sections: tuple[str, ...]
    v_mV: np.ndarray


def make_frames(trace: pd.DataFrame, frame_ms: float = 2.0) -> Frames:
    """Cut a run with recordings of `record_sections` into frames.

    Parameters
    ----------
    trace : pandas.DataFrame
        From a ``simulate_*`` call, sampled regularly.
    frame_ms : float
        Length of a frame.

    Raises
    ------
    FormatError
        The trace holds no recorded sections.
    """
    sections = tuple(c for c in trace.columns if c.partition("[")[0] in _DRAWN and c[-1] == "]")
    if not sections:
        raise FormatError(
            "The trace holds no recorded sections; run it with record=nmc.record_sections(model)."
        )
    t = trace["t_ms"].to_numpy()
    each = max(1, round(frame_ms / (t[1] - t[0])))
    starts = np.arange(0, len(t), each)
    values = np.maximum.reduceat(trace[list(sections)].to_numpy(), starts, axis=0)
    return Frames(t[starts], sections, values)


def nearest_recorded(points: dict[str, np.ndarray], recorded: tuple[str, ...]) -> np.ndarray:
    """For each drawn section the place in `recorded` whose middle is nearest, shape (n,)."""
    middles = {name: xyz[len(xyz) // 2] for name, xyz in points.items()}
    known = np.array([middles[name] for name in recorded])
    own = {name: k for k, name in enumerate(recorded)}
    return np.array(
        [
            own.get(name, int(np.argmin(np.linalg.norm(known - middle, axis=1))))
            for name, middle in middles.items()
        ]
    )
