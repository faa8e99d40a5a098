"""A 3-D view that turns: points and lines in one piece of HTML that needs nothing else.

No network and no library: a canvas and a short script go into the page with the data, packed
into a few bytes a point.  Where scripts do not run, a still picture stands in its place.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from PIL import Image

from nmc import style
from nmc.data.files import given_path, written
from nmc.data.provenance import note
from nmc.errors import FigureError, explained

#: A view larger than this many bytes is refused: a page should open at once.
MAX_BYTES = 2_000_000
_YAW, _PITCH, _ASPECT = 0.6, 0.25, 0.9
_HINT = "Drag to turn; click a dot to see whom it contacts."


@explained
@dataclass(frozen=True)
class View3D:
    """Something to turn around, as `html`; a notebook shows it, `save` writes it as a page."""

    html: str

    def __repr__(self) -> str:
        return f"<View3D, {len(self.html):,} characters of HTML>"

    def _repr_html_(self) -> str:
        return self.html

    def save(self, path: str | Path) -> Path:
        """Write a page that shows the view."""
        page = f"<!doctype html><meta charset='utf-8'><title>View</title><body>{self.html}</body>"
        with written(given_path(path, FigureError), FigureError) as draft:
            draft.write_text(page, "utf-8")
        return Path(path)


def view_3d(
    points: np.ndarray,
    point_groups: Sequence[str],
    *,
    lines: np.ndarray | None = None,
    line_groups: Sequence[str] = (),
    widths: Sequence[float] | None = None,
    connections: tuple[np.ndarray, np.ndarray] | None = None,
    point_names: Sequence[str] | None = None,
    point_size: float = 2.0,
    colours: Mapping[str, str] | None = None,
    alt: str = "A cloud of points in space.",
) -> View3D:
    """Show points and lines in space, such as somata, or a neuron's branches and synapses.

    Parameters
    ----------
    points : (N, 3) array
        Positions, µm; y points up.
    point_groups, line_groups : sequence of str
        Group of each point and line: it has a colour and a box in the legend to hide it by.
    lines : (M, 2, 3) array, optional
        Ends of each line.
    widths : sequence of M float, optional
        Diameter of each line, in µm; drawn at least one pixel wide.
    connections : (indptr, indices), optional
        Rows of a sparse adjacency among the points; a click on a point then shows its
        partners.  At most 65,536 points.
    point_names : sequence of N str, optional
        What to call a chosen point; default its group.
    point_size : float
        Radius, in pixels of a view 640 wide.
    colours : mapping, optional
        Group → colour; default the book's.
    alt : str
        What one sees, in words.

    Raises
    ------
    FigureError
        When the view would be too large for a page: show fewer points or lines.
    """
    points = np.asarray(points, float).reshape(-1, 3)
    segments = np.asarray(() if lines is None else lines, float).reshape(-1, 2, 3)
    if len(points) != len(point_groups) or len(segments) != len(line_groups):
        raise FigureError(
            f"{len(points)} points have {len(point_groups)} groups, and {len(segments)} lines "
            f"{len(line_groups)}; one each is needed."
        )
    ends = np.concatenate([points, segments.reshape(-1, 3)])
    if not len(ends) or not np.isfinite(ends).all():
        raise FigureError("A view needs at least one point or line, all of finite positions.")
    labels = list(dict.fromkeys(map(str, [*point_groups, *line_groups])))
    if len(labels) > 255:
        raise FigureError(f"A view has room for 255 groups, not {len(labels)}.")
    own = [style.BLUE, style.ORANGE, style.GREEN, style.VERMILION, style.SKY, style.PURPLE,
           style.YELLOW, style.GREY]  # fmt: skip
    palette = [(colours or {}).get(label, own[k % len(own)]) for k, label in enumerate(labels)]
    low, span = ends.min(axis=0), np.maximum(np.ptp(ends, axis=0), 1e-9)
    index = {label: k for k, label in enumerate(labels)}
    codes = np.array([index[str(g)] for g in [*point_groups, *line_groups]], np.uint8)
    data = {
        "n_points": len(points),
        "n_segments": len(segments),
        "xyz": pack(np.round((ends - low) / span * 65535), np.uint16),
        "span": [float(f"{s:.6g}") for s in span],
        "group": pack(codes, np.uint8),
        "labels": labels,
        "colours": palette,
        "point_size": point_size,
        "unit": "µm",
        "aspect": _ASPECT,
        "fit": float(0.92 / max(span[1] / _ASPECT, np.hypot(span[0], span[2]))),
        "yaw": _YAW,
        "pitch": _PITCH,
        "hint": _HINT,
        "out_colour": style.VERMILION,
        "in_colour": style.BLUE,
        "both_colour": style.PURPLE,
    }
    if widths is not None:
        data["width"] = [round(float(w), 2) for w in widths]
    if connections is not None:
        data |= _links(connections, len(points))
    if point_names is not None:
        kinds = {name: k for k, name in enumerate(dict.fromkeys(map(str, point_names)))}
        data |= {"names": list(kinds), "name": [kinds[str(name)] for name in point_names]}
    picture = _picture(ends, len(points), codes, palette, labels, point_size)
    script = files("nmc").joinpath("viewer3d.js").read_text("utf-8")
    return View3D(page_part(data, picture, alt, script, kind="view3d", start="startView3d",
                            fewer="points, lines or connections"))  # fmt: skip


def _links(connections, n: int) -> dict:
    indptr, indices = connections
    if n > 65_536 or len(indptr) != n + 1:
        raise FigureError(
            f"Connections need a row for each of the {n} points, and 65,536 points at most."
        )
    return {"indptr": pack(indptr, np.uint32), "indices": pack(indices, np.uint16)}


def pack(values: np.ndarray, dtype) -> str:
    """Return numbers as text: little-endian bytes in base64."""
    little = np.ascontiguousarray(values, np.dtype(dtype).newbyteorder("<"))
    return base64.b64encode(little.tobytes()).decode("ascii")


def _picture(ends, n_points, codes, palette, labels, point_size) -> str:
    """The first look as a PNG, in base64: the same turn and the same colours."""
    ends = ends - (ends.min(axis=0) + ends.max(axis=0)) / 2
    ca, sa, cb, sb = np.cos(_YAW), np.sin(_YAW), np.cos(_PITCH), np.sin(_PITCH)
    u, w = ca * ends[:, 0] + sa * ends[:, 2], -sa * ends[:, 0] + ca * ends[:, 2]
    flat = np.column_stack([u, cb * ends[:, 1] - sb * w])
    colours = np.array(palette)[codes]
    figure = Figure(figsize=(6.4, 6.4 * _ASPECT), dpi=100, layout="constrained")
    ax = figure.add_subplot()
    lines = flat[n_points:].reshape(-1, 2, 2)
    ax.add_collection(LineCollection(list(lines), colors=colours[n_points:], linewidths=0.7))
    order = np.argsort((sb * ends[:, 1] + cb * w)[:n_points])
    x, y = flat[:n_points][order].T
    ax.scatter(x, y, (1.6 * point_size) ** 2, colours[:n_points][order], linewidths=0)
    for label, colour in zip(labels, palette, strict=True):
        ax.plot([], [], "o", color=colour, label=label)
    ax.legend(frameon=False, fontsize=8, loc="upper right")
    ax.set_aspect("equal", adjustable="datalim")
    ax.autoscale_view()
    ax.set_axis_off()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white")
    # The 256 colours that serve it best: a third of the bytes.
    few = Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    few.save(buffer, "png", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def page_part(
    data: dict, picture: str, alt: str, script: str, *, kind: str, start: str, fewer: str
) -> str:
    """Return a view for a page: its picture (a base64 PNG), its data, and its script.

    `start` is the function of the script that is called with each element of ``nmc-`` + `kind`.
    """
    packed = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/")
    name = f"nmc-{kind}-{hashlib.sha256(packed.encode()).hexdigest()[:12]}"
    text = (
        f'<div class="nmc-{kind}" data-view="{name}">'
        f'<img alt="{html.escape(alt, quote=True)}" style="max-width:100%" '
        f'src="data:image/png;base64,{picture}">'
        f'<script type="application/json">{packed}</script>'
        f'<div style="font-size:.75em;opacity:.75;text-align:right">{html.escape(note())}</div>'
        f"</div>\n<script>(() => {{\n{script}\n"
        f"document.querySelectorAll(\"[data-view='{name}']\").forEach({start});\n"
        "})();</script>"
    )
    if len(text) > MAX_BYTES:
        size = f"{len(text) / 1e6:.1f} MB, more than {MAX_BYTES / 1e6:.0f}"
        raise FigureError(f"The view takes {size}; show fewer {fewer}.")
    return text
