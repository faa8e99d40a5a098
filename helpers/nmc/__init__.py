"""The Neocortical Microcircuit Collaboration data: fetch, read, simulate, analyse.

Everything a chapter calls is importable from here; a call's module is loaded when the call
is first used, so that ``import nmc`` is quick and starts nothing.
"""

from __future__ import annotations

from functools import cache, wraps
from importlib import import_module
from types import FunctionType

from nmc.errors import ArgumentError, NMCError, misfit

__version__ = "0.1.0"

#: Module → the public names that it defines.
_MODULES = {
    "nmc.cells.by_hand": "copy_package load_cell port_package read_recording run_command",
    "nmc.cells.channels": "compare_kinetics compute_channel_kinetics",
    "nmc.cells.firing": "compute_firing measure_firing separate_types",
    "nmc.cells.measures": "simulate_fi simulate_iv simulate_rest simulate_steps simulate_threshold",
    "nmc.cells.mechanisms": "clear_results",
    "nmc.cells.morphology": "load_morphology to_swc",
    "nmc.cells.morphometrics": (
        "compare_morphometrics compute_barcode compute_morphometrics compute_sholl"
    ),
    "nmc.cells.neuroml.cell": "list_neuroml load_neuroml",
    "nmc.cells.neuroml.simulate": "compare_densities compare_spikes simulate_neuroml",
    "nmc.cells.package": "Package load_package",
    "nmc.cells.plots": (
        "plot_channel_kinetics plot_densities plot_density_tree plot_etypes plot_fi plot_trace "
        "plot_traces"
    ),
    "nmc.cells.plots_morphology": (
        "plot_barcode plot_morphologies plot_morphology plot_sholl view_morphology"
    ),
    "nmc.cells.protocols": "compute_features simulate_currents simulate_step",
    "nmc.cells.runs": "control_panel plot_currentscape plot_voltages record_sections view_runs",
    "nmc.cells.segments": (
        "compute_channel_densities locate_segments record_channels record_segments "
        "scale_channels swap_biophysics"
    ),
    "nmc.cells.settings": "RunSettings SynapseSettings compute_release_factor scale_synapses",
    "nmc.cells.stimulation": "simulate_bap simulate_bombardment simulate_chirp simulate_epsp",
    "nmc.cells.stimuli": (
        "Chirp OUConductance OUCurrent Ramp Sine SpikeTrain Step SynapseTrain VoltageClamp "
        "Waveform background_conductances"
    ),
    "nmc.cells.sweep": "sweep",
    "nmc.checks": "check_numbers compare_classes",
    "nmc.circuit.network": "compute_bursts compute_population_rate simulate_circuit",
    "nmc.circuit.pairs": "PairedRecording simulate_pair",
    "nmc.circuit.plan": "choose_neurons plan_circuit",
    "nmc.circuit.plots": (
        "plot_fit plot_innervation plot_pair plot_pair_summary plot_pathway_scores "
        "plot_rate_dependence plot_recovered_types plot_release_factors plot_releases "
        "plot_synaptome plot_trains plot_zones view_synaptome"
    ),
    "nmc.circuit.plots_network": "plot_circuit plot_population plot_raster plot_rates",
    "nmc.circuit.point": "compute_attenuation fit_point_neuron simulate_point_circuit",
    "nmc.circuit.ranks": "read_circuit write_circuit",
    "nmc.circuit.scores": "load_pathway_scores",
    "nmc.circuit.synapses": (
        "classify_pathways classify_synapse compute_response compute_train fit_tsodyks_markram "
        "load_synapse_parameters simulate_release train_times"
    ),
    "nmc.circuit.synaptome": (
        "compare_conductances compare_synapses compute_innervation count_synaptome locate_synapses"
    ),
    "nmc.connectome.build": (
        "from_edges from_graphml from_networkx from_parquet from_sonata make_connectome"
    ),
    "nmc.connectome.claims": "check_connectome_claims",
    "nmc.connectome.cliques": (
        "compute_betti_numbers compute_euler_characteristic compute_participation count_simplices"
    ),
    "nmc.connectome.degrees": (
        "compute_block_densities compute_convergence compute_core_numbers compute_degrees "
        "compute_hubs compute_modularity compute_pathway_reciprocity compute_reciprocity "
        "compute_rich_club"
    ),
    "nmc.connectome.distance": (
        "compute_distance_profile compute_offset_map compute_pathway_probability"
    ),
    "nmc.connectome.ensembles": "compute_ensemble compute_spread compute_summary",
    "nmc.connectome.export": "to_graphml to_igraph to_networkx to_parquet to_scipy to_sonata",
    "nmc.connectome.graph": "Connectome",
    "nmc.connectome.motifs": (
        "compute_clustering compute_transitivity compute_triad_intensity "
        "compute_weighted_clustering count_triad_roles count_triads"
    ),
    "nmc.connectome.nulls": (
        "compute_mixing load_control make_degree_preserving make_distance_dependent "
        "make_erdos_renyi make_general_biological make_matched_sample make_null "
        "make_pathway_preserving make_reciprocity_preserving"
    ),
    "nmc.connectome.paths": (
        "compute_common_neighbour_bias compute_components compute_path_lengths "
        "compute_small_world count_common_neighbours summarise_paths"
    ),
    "nmc.connectome.plots": (
        "plot_adjacencies plot_adjacency plot_against_nulls plot_blocks plot_distance "
        "plot_offset_map plot_somata view_column"
    ),
    "nmc.connectome.plots_topology": (
        "plot_common_neighbours plot_degrees plot_degrees_by_type plot_ensemble plot_mixing "
        "plot_path_lengths plot_rich_club plot_simplices plot_triads"
    ),
    "nmc.connectome.read": (
        "connectome_file connectome_keys default_connectome instance_keys load_connectome"
    ),
    "nmc.connectome.simplices": (
        "compute_edge_participation compute_neighbourhoods compute_simplex_degrees "
        "count_maximal_simplices count_reciprocal_in_simplices list_simplices"
    ),
    "nmc.data": "available available_models fetch fetch_folder",
    "nmc.data.provenance": "provenance",
    "nmc.data.registry": "catalogue",
    "nmc.exercises": "check",
    "nmc.factsheets.checks": "check_factsheets",
    "nmc.factsheets.explorer": "view_table",
    "nmc.factsheets.layers": "load_circuit load_etypes load_layers load_metypes load_mtypes",
    "nmc.factsheets.models": "load_channel_densities load_models",
    "nmc.factsheets.pathways": "compute_totals layer_flow load_pathways pathway_matrix",
    "nmc.factsheets.plots": (
        "plot_by_type plot_checks plot_composition plot_density plot_dynamics plot_flow "
        "plot_layers plot_metypes plot_mtypes plot_pathways"
    ),
    "nmc.names": "model_names parse_model",
    "nmc.plots_scoreboard": "plot_scoreboard plot_spike_errors",
    "nmc.portrait": "plot_portrait",
    "nmc.published": "compare",
    "nmc.scoreboard": "load_scoreboard load_spike_errors",
    "nmc.viewer3d": "view_3d",
}
_PUBLIC = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'nmc' has no attribute {name!r}")
    found = getattr(import_module(_PUBLIC[name]), name)
    if not isinstance(found, FunctionType):  # a class checks what it is made of itself
        return found
    call = _explained(found)
    call.__module__, call.__qualname__ = __name__, name  # where another process finds it
    return call


@cache
def _explained(call):
    """Let a call that fails inside say which argument is of another kind than it takes.

    A fault inside that no argument explains stays what it is.
    """

    @wraps(call)
    def answered(*args, **options):
        try:
            return call(*args, **options)
        except Exception as error:
            if isinstance(error, NMCError) and "\n" not in str(error):
                raise
            if why := misfit(call, args, options, error):
                raise ArgumentError(f"{call.__name__}: {why}.") from error
            raise

    return answered


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
