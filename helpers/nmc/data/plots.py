"""Pictures of what there is to fetch."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_package_sizes(ax: Axes | None = None) -> Axes:
    """Draw the download sizes of the 1,035 model packages, by layer of the soma.

    Parameters
    ----------
    ax : matplotlib Axes, optional
        Where to draw; a new one by default.

    Returns
    -------
    matplotlib Axes
        Each point is a package; sizes are those the catalogue knows of release 1.0.10.
    """
    import numpy as np

    from nmc import names, style
    from nmc.data.catalogue import catalogue

    table = catalogue()
    packages = table[table.index.str.startswith("model/")]
    layer = packages.index.str.removeprefix("model/").str.split("_").str[0]
    size_MB = packages["size_bytes"].astype(float).to_numpy() / 1e6
    # Points of a row are spread with a seed of their own, so that the figure is always the same.
    row = layer.map(names.LAYERS.index) + np.random.default_rng(0).uniform(-0.35, 0.35, len(layer))
    ax = style.new_axes(ax)
    with style.context():
        ax.scatter(size_MB, row, s=9, alpha=0.6, c=layer.map(style.LAYER_COLOURS), linewidths=0)
    ax.set_yticks(range(len(names.LAYERS)), names.LAYERS)
    ax.invert_yaxis()
    ax.set(xlabel="size of the package (MB)", ylabel="", xlim=(0, None))
    style.add_note(ax, "Catalogue: sizes of the packages of release 1.0.10")
    return ax
