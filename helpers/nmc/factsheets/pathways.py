"""Pathways between m-types: anatomy and physiology, one row a pathway."""

from __future__ import annotations

from functools import cache

import pandas as pd

from nmc import names
from nmc.errors import FormatError, NMCError
from nmc.factsheets import schema

#: Field of the anatomy file → column.  Units are those the portal's pages print.
ANATOMY = {
    "connection_probability": "connection_probability_percent",
    "number_of_convergent_neuron_mean": "convergence_mean",
    "number_of_convergent_neuron_std": "convergence_std",
    "number_of_divergent_neuron_mean": "divergence_mean",
    "number_of_divergent_neuron_std": "divergence_std",
    "mean_number_of_synapse_per_connection": "synapses_per_connection_mean",
    "number_of_synapse_per_connection_std": "synapses_per_connection_std",
    "total_synapse_count": "total_synapse_count",
    "common_neighbor_bias": "common_neighbour_bias",
}

#: Field of the physiology file → column.
PHYSIOLOGY = {
    "synapse_type": "synapse_type",
    "gsyn_mean": "gsyn_mean_nS",
    "gsyn_std": "gsyn_std_nS",
    "u_mean": "u_mean",
    "u_std": "u_std",
    "d_mean": "d_mean_ms",
    "d_std": "d_std_ms",
    "f_mean": "f_mean_ms",
    "f_std": "f_std_ms",
    "epsp_mean": "psp_amplitude_mean_mV",
    "epsp_std": "psp_amplitude_std_mV",
    "cv_psp_amplitude_mean": "cv_psp_amplitude_mean",
    "cv_psp_amplitude_std": "cv_psp_amplitude_std",
    "risetime_mean": "rise_time_mean_ms",
    "risetime_std": "rise_time_std_ms",
    "latency_mean": "latency_mean_ms",
    "latency_std": "latency_std_ms",
    "decay_mean": "decay_mean_ms",
    "decay_std": "decay_std_ms",
    "failures_mean": "failures_mean_percent",
    "failures_std": "failures_std_percent",
    "space_clamp_correction_factor": "space_clamp_correction_factor",
}

#: Synapse type as printed → s-type of Markram et al. (2015).
S_TYPES = {
    "Excitatory, facilitating": "E1",
    "Excitatory, depressing": "E2",
    "Excitatory, pseudo-linear": "E3",
    "Inhibitory, facilitating": "I1",
    "Inhibitory, depressing": "I2",
    "Inhibitory, pseudo-linear": "I3",
}

#: What stands in place of a space-clamp factor when no conductance was measured.
NOT_MEASURED = "Synaptic conductance not measured experimentally"


def load_pathways() -> pd.DataFrame:
    """Return the pathways of the microcircuit, anatomy and physiology joined.

    Returns
    -------
    pandas.DataFrame
        One row a pathway (1,932 on the portal), ordered by presynaptic, then postsynaptic
        m-type.  ``pre``, ``post``, ``pre_layer``, ``post_layer`` are ordered categoricals;
        ``s_type`` is the class of short-term dynamics (E1…E3, I1…I3), ``synapse_type`` the
        same in the sheet's words.

        Anatomy: ``connection_probability_percent`` is that of pairs whose somata are less
        than 100 µm apart; ``convergence_mean`` and ``divergence_mean`` are numbers of
        neurons; ``synapses_per_connection_mean`` and ``total_synapse_count`` count contacts,
        the latter beyond the borders of the microcircuit.

        Physiology: ``u_mean``, ``d_mean_ms``, ``f_mean_ms`` are the parameters of the
        Tsodyks-Markram synapse; ``gsyn_mean_nS`` is the peak conductance of one contact.
        ``space_clamp_correction_factor`` is a nullable number, present only where
        ``conductance_measured`` is true.  The pages print no unit for the amplitude of the
        postsynaptic potential; mV is that of the paper.

    Raises
    ------
    FormatError
        When a file does not hold what its format promises, or the two files do not speak of
        the same pathways.

    Notes
    -----
    Read from ``pathways_anatomy_factsheets_simplified.json`` and
    ``pathways_physiology_factsheets_simplified.json`` of the portal; quantities as in
    Markram et al. (2015), Cell 163:456-492, and Reimann et al. (2015), Front. Comput.
    Neurosci. 9:120.
    """
    import nmc

    anatomy_file = nmc.fetch("sheet/pathways_anatomy")
    physiology_file = nmc.fetch("sheet/pathways_physiology")
    anatomy = _records(anatomy_file, _anatomy_columns())
    physiology = _records(physiology_file, _physiology_columns(), before=_split_factor)
    lost = anatomy.index.symmetric_difference(physiology.index)
    if len(lost):
        raise FormatError(
            f"{anatomy_file} and {physiology_file} do not list the same pathways: {lost[0]!r} "
            f"stands in only one of them ({len(lost)} such pathways)."
        )
    table = anatomy.rename(columns=ANATOMY).join(physiology.rename(columns=PHYSIOLOGY))
    return _with_types(table)


def pathway_matrix(
    pathways: pd.DataFrame, column: str, *, mtypes: tuple[str, ...] = names.MTYPES
) -> pd.DataFrame:
    """Lay one quantity out as a matrix of m-types.

    Parameters
    ----------
    pathways : pandas.DataFrame
        From `load_pathways`.
    column : str
        A numeric column of it.
    mtypes : tuple of str
        Which m-types, in which order.

    Returns
    -------
    pandas.DataFrame, shape (len(mtypes), len(mtypes))
        Rows presynaptic, columns postsynaptic; NaN where there is no pathway.

    Raises
    ------
    UnknownNameError
        When there is no such column.
    """
    schema.column_of(pathways, column)
    wide = pathways.pivot(index="pre", columns="post", values=column)
    wide.index, wide.columns = wide.index.astype(str), wide.columns.astype(str)
    wide = wide.reindex(index=list(mtypes), columns=list(mtypes)).astype(float)
    return wide.rename_axis(index="presynaptic", columns="postsynaptic")


def layer_flow(pathways: pd.DataFrame, column: str | None = None) -> pd.DataFrame:
    """Add up the pathways between layers.

    Parameters
    ----------
    pathways : pandas.DataFrame
        From `nmc.load_pathways`.
    column : str, optional
        What is added up; by default pathways are counted.

    Returns
    -------
    pandas.DataFrame, shape (5, 5)
        Rows presynaptic, columns postsynaptic layers.

    Raises
    ------
    UnknownNameError
        When there is no such column.
    """
    groups = pathways.groupby(["pre_layer", "post_layer"], observed=False)
    if column is None:
        return groups.size().unstack().astype(float)
    return groups[schema.column_of(pathways, column).name].sum().unstack().astype(float)


def compute_totals(pathways: pd.DataFrame, mtypes: pd.DataFrame) -> dict[str, float]:
    """Add the pathways up to the connections and synapses of the whole microcircuit.

    Every postsynaptic neuron receives ``convergence_mean`` connections of a pathway, each
    with ``synapses_per_connection_mean`` contacts.  ``total_synapse_count`` does not serve:
    it reaches beyond the borders of the microcircuit.

    Parameters
    ----------
    pathways : pandas.DataFrame
        From `load_pathways`.
    mtypes : pandas.DataFrame
        From `load_mtypes`.

    Returns
    -------
    dict
        ``connections`` and ``synapses``; both carry the rounding of the sheets, two digits a
        pathway.
    """
    neurons = mtypes.set_index("mtype")["n_neurons"]
    receivers = pathways["post"].map(neurons).astype(float)
    connections = pathways["convergence_mean"] * receivers
    synapses = connections * pathways["synapses_per_connection_mean"]
    return {"connections": float(connections.sum()), "synapses": float(synapses.sum())}


@cache
def _anatomy_columns() -> dict:
    amounts = {field: schema.number(low=0) for field in ANATOMY}
    amounts["connection_probability"] = schema.number(low=0, high=100)
    amounts["total_synapse_count"] = schema.count()
    return amounts


@cache
def _physiology_columns() -> dict:
    columns = {field: schema.number(low=0) for field in PHYSIOLOGY}
    columns["failures_mean"] = schema.number(low=0, high=100)
    columns["u_mean"] = schema.number(low=0, high=1)
    columns["synapse_type"] = schema.choice(S_TYPES)
    columns["space_clamp_correction_factor"] = schema.number(low=0, missing=True)
    return columns


def _records(file, columns, before=None) -> pd.DataFrame:
    data = schema.read_json(file)
    for key, record in data.items():
        _check_record(file, key, record, columns)
    if before is not None:
        data = {key: before(file, key, record) for key, record in data.items()}
    frame = pd.DataFrame.from_dict(data, orient="index", dtype=object)
    frame = schema.validate(frame, columns, file)
    try:
        frame.index = [names.pathway(*names.parse_pathway(key)) for key in frame.index]
    except NMCError as error:
        raise FormatError(f"{file}: {error}") from error
    return frame


def _check_record(file, key, record, columns) -> None:
    if not isinstance(record, dict):
        raise FormatError(f"{file}: key {key!r} holds {record!r} where an object is expected.")
    lost = [field for field in columns if field not in record]
    if lost:
        raise FormatError(f"{file}: key {key!r} lacks the field {lost[0]!r}.")


def _split_factor(file, key, record: dict) -> dict:
    """Put a missing value where the file says in words that nothing was measured."""
    factor = record["space_clamp_correction_factor"]
    if isinstance(factor, str):
        if factor.strip() != NOT_MEASURED:
            raise FormatError(
                f"{file}: key {key!r}, field 'space_clamp_correction_factor': {factor!r} is "
                f"neither a number nor {NOT_MEASURED!r}."
            )
        factor = None
    return {**record, "space_clamp_correction_factor": factor}


def _with_types(table: pd.DataFrame) -> pd.DataFrame:
    pre, post = zip(*(key.split(":") for key in table.index), strict=True)
    layers = [[name.split("_", 1)[0] for name in side] for side in (pre, post)]
    mtype = pd.CategoricalDtype(names.MTYPES, ordered=True)
    layer = pd.CategoricalDtype(names.LAYERS, ordered=True)
    table.insert(0, "pre", pd.Series(pre, table.index).astype(mtype))
    table.insert(1, "post", pd.Series(post, table.index).astype(mtype))
    table.insert(2, "pre_layer", pd.Series(layers[0], table.index).astype(layer))
    table.insert(3, "post_layer", pd.Series(layers[1], table.index).astype(layer))
    s_type = table["synapse_type"].map(S_TYPES).astype(pd.CategoricalDtype(S_TYPES.values()))
    table.insert(table.columns.get_loc("synapse_type"), "s_type", s_type)
    factor = table["space_clamp_correction_factor"]
    table["conductance_measured"] = factor.notna()
    table["space_clamp_correction_factor"] = factor.astype("Float64")
    table["synapse_type"] = table["synapse_type"].astype(pd.CategoricalDtype(list(S_TYPES)))
    return table.sort_values(["pre", "post"]).reset_index(drop=True)
