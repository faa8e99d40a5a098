"""The column in three dimensions."""

from __future__ import annotations

import numpy as np

from nmc import style
from nmc.connectome.given import check_choice, check_connectome, check_number
from nmc.connectome.graph import Connectome
from nmc.viewer3d import View3D, view_points

_LAYER_KINDS = {True: "excitatory", False: "inhibitory"}


def view_column(
    connectome: Connectome, *, by: str = "layer", most: int = 4000, most_links: int = 250_000
) -> View3D:
    """Show the somata in space; a click on one shows whom it contacts and who contacts it.

    Parameters
    ----------
    connectome : Connectome
        What to show.
    by : str
        What the colours tell apart: ``layer`` or ``excitatory``.
    most : int
        Show every n-th neuron only when there are more.
    most_links : int
        Show fewer neurons until so few connections are left among them.

    Returns
    -------
    nmc.viewer3d.View3D
        Displayed by a notebook; ``.save(path)`` writes it as a page.

    Raises
    ------
    ConnectomeError
        If this is no `Connectome` or has no neuron, or one without a position; for another `by`,
        `most` below 1 or `most_links` below 0.
    """
    check_connectome(connectome, least=1)
    check_choice(by, "Colours tell apart by", ("layer", "excitatory"))
    check_number(most, "most", 1)
    check_number(most_links, "most_links", 0)
    step = max(1, -(-connectome.n_neurons // most))
    some = connectome
    while step > 1 or some.n_connections > most_links:
        some = connectome.select(np.arange(0, connectome.n_neurons, step))
        if some.n_connections <= most_links:
            break
        step += 1
    groups, colours = _groups(some, by)
    alt = (
        f"The somata of {some.n_neurons:,} neurons in space, coloured by {by}; "
        "the cortical surface is at the top."
    )
    return view_points(
        some.positions,
        groups,
        colours=colours,
        connections=(some.adjacency.indptr, some.adjacency.indices),
        point_names=some.neurons["mtype"].astype(str).tolist(),
        alt=alt,
    )


def _groups(connectome: Connectome, by: str) -> tuple[list[str], dict[str, str]]:
    column = connectome.neurons[by]
    if by == "excitatory":
        colours = {"excitatory": style.EXCITATORY, "inhibitory": style.INHIBITORY}
        return column.map(_LAYER_KINDS).tolist(), colours
    return column.astype(str).tolist(), dict(style.LAYER_COLOURS)
