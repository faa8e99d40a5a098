"""The graph everything is measured on: a full-size synthetic microcircuit, and thinner ones."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import nmc
import numpy as np
from nmc.data import fetch_record
from scipy import sparse

sys.path.append(str(Path(__file__).resolve().parents[1]))  # for the sample's maker

from tools.sample import column
from tools.sample.column import N_NEURONS, mtype_counts
from tools.sample.wiring import make_instance, make_neurons

SIZES = (1000, 2000, 4000, 8000, 16000, N_NEURONS)
SEED = (20, 15)
#: A graph beyond any microcircuit: neurons, and connections of each on average.
LARGE, LARGE_DEGREE = 200_000, 250


def pathway_strengths():
    """Pathway probabilities in the proportions `load_pathways` gives.

    They are scaled for the microcircuit's 7.8 million connections; 7.5 million come out.
    Reach and shape of each pathway are the sample's rule; its strength is the connection
    probability of the source in use.
    """
    table = column.pathways()
    printed = nmc.load_pathways().set_index(["pre", "post"])["connection_probability_percent"]
    pairs = list(zip(table["pre"], table["post"], strict=True))
    strength = printed.reindex(pairs).to_numpy(float)
    table = table[np.isfinite(strength)].copy()
    strength = strength[np.isfinite(strength)] / 100
    table["expected"] *= strength * column.DENSER / table["peak"]
    factor = column.N_CONNECTIONS / table["expected"].sum()
    table["peak"] = strength * factor
    table["expected"] *= factor
    return table


def write_instances(folder: Path) -> None:
    """Write ``graph-<size>.npz`` for every size; smaller ones are the full one, thinned.

    ``graph.json`` says from whose sheets the strengths are, and how much each graph holds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    neurons = make_neurons(mtype_counts(N_NEURONS), rng=rng)
    instance = make_instance(neurons, SEED, pathways=pathway_strengths())
    positions = neurons[["x_um", "y_um", "z_um"]].to_numpy(float)
    codes = neurons["mtype"].cat.codes.to_numpy(np.int32)
    invented = fetch_record("sheet/pathways_anatomy").invented
    about = {"sheets": "the sample's" if invented else "the portal's", "sizes": {}}
    for size in SIZES:
        keep = np.sort(rng.permutation(N_NEURONS)[:size])
        part = instance.adjacency[keep][:, keep]
        part.sort_indices()
        simplices = nmc.count_simplices(nmc.make_connectome(part))
        about["sizes"][size] = {"connections": int(part.nnz), "simplices": int(simplices.sum())}
        np.savez(
            folder / f"graph-{size}.npz",
            indptr=part.indptr.astype(np.int32),
            indices=part.indices.astype(np.int32),
            positions=positions[keep],
            codes=codes[keep],
        )
    (folder / "graph.json").write_text(json.dumps(about, indent=1) + "\n")


def write_large(folder: Path) -> None:
    """Write ``graph-200000.npz``: neurons on a ring, each contacting mostly those near it.

    Nearness falls off over 5,000 neurons, so that targets meet one another as often as in the
    microcircuit; how many a neuron has is log-normal.
    """
    rng, rows = np.random.default_rng(SEED), []
    sizes = rng.lognormal(np.log(LARGE_DEGREE) - 0.45**2 / 2, 0.45, LARGE)
    # Some are drawn twice, and are one.
    sizes = np.rint(sizes * 1.0125 * LARGE_DEGREE / sizes.mean()).astype(int)
    for block in np.array_split(np.arange(LARGE), 100):
        pre = np.repeat(block, sizes[block])
        post = (pre + np.rint(rng.laplace(0, 5000, pre.size)).astype(int)) % LARGE
        codes = np.unique((pre * LARGE + post)[pre != post])
        rows.append(np.divmod(codes, LARGE))
    pre, post = (np.concatenate(ends) for ends in zip(*rows, strict=True))
    indptr = np.append(0, np.cumsum(np.bincount(pre, minlength=LARGE)))
    angle = np.linspace(0, 2 * np.pi, LARGE)
    places = np.column_stack([1000 * np.cos(angle), 0 * angle, 1000 * np.sin(angle)])
    codes = np.arange(LARGE) % 50
    arrays = {"indptr": indptr.astype(np.int32), "indices": post.astype(np.int32)}
    np.savez(folder / f"graph-{LARGE}.npz", positions=places, codes=codes, **arrays)


def write_hdf5(folder: Path, size: int) -> None:
    """Write the graph of a size as a portal-like file, dense uint8 blocks, raw and gzip."""
    import h5py
    from nmc import names

    data = np.load(folder / f"graph-{size}.npz")
    codes, positions = data["codes"], data["positions"]
    edges = np.searchsorted(codes, np.arange(len(names.MTYPES) + 1))
    ones = np.ones(data["indices"].size, np.uint8)
    graph = sparse.csr_array((ones, data["indices"], data["indptr"]), shape=(codes.size,) * 2)
    spans = [(m, a, b) for m, a, b in zip(names.MTYPES, edges, edges[1:], strict=False) if b > a]
    for kind, options in (("raw", {}), ("gzip", {"compression": "gzip"})):
        with h5py.File(folder / f"graph-{size}-{kind}.h5", "w") as file:
            for pre, a, b in spans:
                file[f"populations/{pre}/locations"] = positions[a:b]
                rows = graph[a:b].toarray()
                for post, c, d in spans:
                    file.create_dataset(
                        f"connectivity/{pre}/{post}/cMat", data=rows[:, c:d], **options
                    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    write_instances(parser.parse_args().folder)
