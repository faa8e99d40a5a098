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
    import seaborn as sns

    from nmc import names, style
    from nmc.data.catalogue import catalogue

    table = catalogue()
    packages = table[table.index.str.startswith("model/")]
    layer = packages.index.str.removeprefix("model/").str.split("_").str[0]
    size_MB = packages["size_bytes"].astype(float) / 1e6
    ax = style.new_axes(ax)
    with style.context():
        sns.stripplot(
            x=size_MB.to_numpy(), y=layer, hue=layer, order=names.LAYERS, hue_order=names.LAYERS,
            palette=style.LAYER_COLOURS, legend=False, jitter=0.35, size=3, alpha=0.6, ax=ax,
        )  # fmt: skip
    ax.set(xlabel="size of the package (MB)", ylabel="", xlim=(0, None))
    style.add_note(ax, "Catalogue: sizes of the packages of release 1.0.10")
    return ax
