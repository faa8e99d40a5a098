"""Checks of Part IV, the connectome."""

import h5py
import nmc
import numpy as np
from nmc.connectome.read import default_key
from nmc.exercises import exercise


@exercise("ex-open-block", "The sum of the matrix /connectivity/<m-type>/<m-type>/cMat.")
def _ones_in_block(mtype: str = "L5_TTPC2") -> int:
    """Count in the file itself."""
    with h5py.File(nmc.connectome_file(default_key())) as file:
        return int(np.count_nonzero(file[f"connectivity/{mtype}/{mtype}/cMat"][()]))


@exercise("ex-count-hub", "Group `out_degree` of `compute_degrees` by `mtype`, take the median.")
def _best_sender(min_mtypes: int = 5) -> str:
    connectome = nmc.default_connectome(min_mtypes=min_mtypes)
    sent = np.diff(connectome.adjacency.indptr)
    mtypes = connectome.neurons["mtype"].to_numpy()
    medians = {m: np.median(sent[mtypes == m]) for m in connectome.mtypes}
    return max(medians, key=medians.get)


@exercise("ex-distance-reach", "Half of the cumulative sum of `connections` over the bins.")
def _median_reach(bin_um: float = 50.0) -> float:
    """Take the distances of the connections themselves, then the middle of their median's bin."""
    connectome = nmc.default_connectome()
    pre, post = connectome.adjacency.nonzero()
    apart = np.linalg.norm(connectome.positions[pre] - connectome.positions[post], axis=1)
    middle = np.sort(apart)[max(-(-len(apart) // 2) - 1, 0)]
    return (int(middle / bin_um) + 0.5) * bin_um


@exercise("ex-random-density", "Connections over ordered pairs, n (n − 1).", share=True)
def _density(min_mtypes: int = 5) -> float:
    connectome = nmc.default_connectome(min_mtypes=min_mtypes)
    return connectome.n_connections / (connectome.n_neurons * (connectome.n_neurons - 1))


@exercise("ex-motifs-expected", "n (n − 1) (n − 2) / 3 rings, each with probability p³ (1 − p)³.")
def _expected_cycles() -> float:
    connectome = nmc.default_connectome()
    n, m = connectome.n_neurons, connectome.n_connections
    p = m / (n * (n - 1))
    return 2 * (n * (n - 1) * (n - 2) / 6) * (p * (1 - p)) ** 3


@exercise("ex-neighbours-hand", "A neuron with k inputs is shared by k (k − 1) / 2 pairs.")
def _mean_shared_targets() -> float:
    """Sum the in-degrees' pairs."""
    connectome = nmc.default_connectome()
    n = connectome.n_neurons
    k = np.bincount(connectome.adjacency.indices, minlength=n)
    return float((k * (k - 1) / 2).sum() / (n * (n - 1) / 2))


@exercise("ex-world-reach", "The hub's targets, and theirs; the hub itself does not count.")
def _two_steps_from_hub(share: float = 0.02) -> int:
    """Walk two steps in the adjacency."""
    connectome = nmc.default_connectome()
    graph = connectome.adjacency
    hub = int(nmc.compute_hubs(connectome, share)["out_degree"].idxmax())
    first = graph.indices[graph.indptr[hub] : graph.indptr[hub + 1]]
    reached = set(first) | set(graph[first].indices)
    return len(reached - {hub})


@exercise("ex-cliques-expected", "Every ordered triple needs three connections: p³.")
def _expected_triangles() -> float:
    connectome = nmc.default_connectome()
    n, m = connectome.n_neurons, connectome.n_connections
    return (n - 2) * m**3 / (n * (n - 1)) ** 2


@exercise("ex-weigh-mean", "The sum of `out_weight` over that of `out_degree`.")
def _synapses_of_an_inhibitory_connection(min_mtypes: int = 5) -> float:
    """Look up the sheet's mean for every connection by its two ends."""
    connectome = nmc.default_connectome(min_mtypes=min_mtypes)
    sheets = nmc.load_pathways()
    means = sheets["synapses_per_connection_mean"]
    known = dict(zip(zip(sheets["pre"], sheets["post"], strict=True), means, strict=True))
    mtypes = connectome.neurons["mtype"].astype(str).tolist()
    excitatory = connectome.neurons["excitatory"].tolist()
    found = [
        known.get((mtypes[pre], mtypes[post]), means.mean())
        for pre, post in zip(*connectome.adjacency.nonzero(), strict=True)
        if not excitatory[pre]
    ]
    return float(np.mean(found))


@exercise("ex-cliques-reciprocal", "Two connections in a ring: one loop, one component.")
def _betti_of_a_pair() -> dict[str, int]:
    return {"simplices": 2, "betti_number": 1}


@exercise("ex-individuals-size", "`n_connections` over `n_neurons`, the largest of them.")
def _most_connections_a_neuron() -> float:
    sizes = [
        (c.n_connections, c.n_neurons)
        for c in (nmc.load_connectome(key, progress=False) for key in nmc.connectome_keys())
    ]
    return max(connections / neurons for connections, neurons in sizes)
