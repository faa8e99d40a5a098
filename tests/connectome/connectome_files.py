"""Small connectome files, written the way the portal's are."""

import h5py
import numpy as np

SIZES = {"L1_DAC": 3, "L23_PC": 17, "L5_TTPC1": 9}


def write_file(
    path, sizes=SIZES, *, seed=5, density=0.2, dtype="u1", spelled="connectivity", **how
):
    """Write a connectome file and return its dense adjacency, (N, N) bool."""
    rng = np.random.default_rng(seed)
    n = sum(sizes.values())
    dense = rng.random((n, n)) < density
    np.fill_diagonal(dense, False)
    starts = dict(zip(sizes, np.cumsum([0, *sizes.values()]), strict=False))
    with h5py.File(path, "w") as file:
        for mtype, size in sizes.items():
            group = file.create_group(f"populations/{mtype}")
            group["locations"] = rng.uniform(0, 400, (size, 3))
            for k, count in enumerate(("nCellAff", "nCellEff", "nSynAff", "nSynEff")):
                group[count] = rng.integers(0, 1000, (size, 1)) + k
        for pre in sizes:
            for post in sizes:
                rows, columns = (slice(starts[m], starts[m] + sizes[m]) for m in (pre, post))
                file.create_dataset(
                    f"{spelled}/{pre}/{post}/cMat", data=dense[rows, columns].astype(dtype), **how
                )
    return dense
