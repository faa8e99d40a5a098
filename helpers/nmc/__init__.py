"""The Neocortical Microcircuit Collaboration data: fetch, read, simulate, analyse.

Everything a chapter calls is importable from here; a call's module is loaded when the call
is first used, so that ``import nmc`` is quick and starts nothing.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

#: Public name → module that defines it.
_PUBLIC = {
    "Connectome": "nmc.connectome.graph",
    "Package": "nmc.cells.package",
    "available": "nmc.data.fetch",
    "catalogue": "nmc.data.catalogue",
    "check": "nmc.exercises",
    "choose_model": "nmc.factsheets.selector",
    "view_models": "nmc.factsheets.table_view",
    "view_table": "nmc.factsheets.table_view",
    "check_factsheets": "nmc.factsheets.checks",
    "classify_pathways": "nmc.circuit.synapses",
    "classify_synapse": "nmc.circuit.synapses",
    "clear_results": "nmc.cells.results",
    "compare": "nmc.published",
    "compute_block_density": "nmc.connectome.blocks",
    "compute_clustering": "nmc.connectome.clustering",
    "compute_convergence": "nmc.connectome.degrees",
    "compute_degrees": "nmc.connectome.degrees",
    "compute_distance_profile": "nmc.connectome.distance",
    "compute_ensemble": "nmc.connectome.ensembles",
    "compute_features": "nmc.cells.features",
    "compute_modularity": "nmc.connectome.blocks",
    "compute_offset_map": "nmc.connectome.offsets",
    "compute_pathway_probability": "nmc.connectome.distance",
    "compute_pathway_reciprocity": "nmc.connectome.degrees",
    "compute_reciprocity": "nmc.connectome.degrees",
    "compute_response": "nmc.circuit.synapses",
    "compute_spread": "nmc.connectome.ensembles",
    "compute_summary": "nmc.connectome.summary",
    "compute_totals": "nmc.factsheets.pathways",
    "compute_train": "nmc.circuit.synapses",
    "compute_transitivity": "nmc.connectome.clustering",
    "connectome_file": "nmc.connectome.read",
    "count_triads": "nmc.connectome.motifs",
    "default_connectome": "nmc.connectome.read",
    "fetch": "nmc.data.fetch",
    "fetch_folder": "nmc.data.unpacked",
    "fit_tsodyks_markram": "nmc.circuit.fitting",
    "instance_keys": "nmc.connectome.ensembles",
    "layer_flow": "nmc.factsheets.pathways",
    "load_channel_densities": "nmc.factsheets.models",
    "load_circuit": "nmc.factsheets.circuit",
    "load_connectome": "nmc.connectome.read",
    "compute_mixing": "nmc.connectome.nulls",
    "plot_mixing": "nmc.connectome.plots",
    "plot_adjacencies": "nmc.connectome.plots",
    "load_control": "nmc.connectome.nulls",
    "load_etypes": "nmc.factsheets.types",
    "load_layers": "nmc.factsheets.layers",
    "load_metypes": "nmc.factsheets.types",
    "load_models": "nmc.factsheets.models",
    "load_morphology": "nmc.cells.morphology",
    "load_mtypes": "nmc.factsheets.types",
    "load_package": "nmc.cells.package",
    "load_pathways": "nmc.factsheets.pathways",
    "make_degree_preserving": "nmc.connectome.nulls",
    "make_distance_dependent": "nmc.connectome.nulls",
    "make_erdos_renyi": "nmc.connectome.nulls",
    "make_general_biological": "nmc.connectome.nulls",
    "make_null": "nmc.connectome.nulls",
    "make_pathway_preserving": "nmc.connectome.nulls",
    "model_names": "nmc.names",
    "parse_model": "nmc.names",
    "pathway_matrix": "nmc.factsheets.pathways",
    "plot_adjacency": "nmc.connectome.plots",
    "plot_against_nulls": "nmc.connectome.plots",
    "plot_blocks": "nmc.connectome.plots",
    "plot_by_s_type": "nmc.factsheets.plots_pathways",
    "plot_checks": "nmc.factsheets.plots",
    "plot_common_neighbours": "nmc.connectome.plots_topology",
    "plot_composition": "nmc.factsheets.plots",
    "plot_degrees": "nmc.connectome.plots",
    "plot_degrees_by_type": "nmc.connectome.plots",
    "plot_density": "nmc.factsheets.plots",
    "plot_distance": "nmc.connectome.plots",
    "plot_dynamics": "nmc.factsheets.plots_pathways",
    "plot_ensemble": "nmc.connectome.plots_topology",
    "plot_fit": "nmc.circuit.plots",
    "plot_flow": "nmc.factsheets.plots_pathways",
    "plot_layers": "nmc.factsheets.plots",
    "plot_metypes": "nmc.factsheets.plots",
    "plot_morphology": "nmc.cells.plots",
    "plot_mtypes": "nmc.factsheets.plots",
    "plot_offset_map": "nmc.connectome.offsets",
    "plot_package_sizes": "nmc.data.plots",
    "plot_path_lengths": "nmc.connectome.plots_topology",
    "plot_pathways": "nmc.factsheets.plots_pathways",
    "plot_portrait": "nmc.portrait",
    "plot_recovered_types": "nmc.circuit.plots",
    "plot_releases": "nmc.circuit.plots",
    "plot_rest": "nmc.factsheets.plots",
    "plot_s_types": "nmc.factsheets.plots_pathways",
    "plot_simplices": "nmc.connectome.plots_topology",
    "plot_somata": "nmc.connectome.plots",
    "plot_trace": "nmc.cells.plots",
    "plot_traces": "nmc.cells.plots",
    "plot_trains": "nmc.circuit.plots",
    "plot_triads": "nmc.connectome.plots_topology",
    "provenance": "nmc.data.provenance",
    "simulate_currents": "nmc.cells.protocols",
    "simulate_release": "nmc.circuit.synapses",
    "simulate_step": "nmc.cells.protocols",
    "to_graphml": "nmc.connectome.export",
    "to_igraph": "nmc.connectome.export",
    "to_networkx": "nmc.connectome.export",
    "to_parquet": "nmc.connectome.export",
    "to_scipy": "nmc.connectome.export",
    "to_sonata": "nmc.connectome.export",
    "train_times": "nmc.circuit.synapses",
    "view_column": "nmc.connectome.views",
    "view_lines": "nmc.viewer3d",
    "view_points": "nmc.viewer3d",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'nmc' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
