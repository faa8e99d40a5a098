"""The connectome as this package holds it: a table of neurons and a sparse adjacency."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import sparse

from nmc import names
from nmc.connectome.arrays import check_choice, chosen_neurons, finite, listed
from nmc.errors import ConnectomeError, explained
from nmc.numbers import as_number, as_numbers, shown

POSITION = ("x_um", "y_um", "z_um")
_TYPES = ("mtype", "layer", "excitatory")
#: Partners of a neuron, those outside the volume included; dataset name in the file → column.
COUNTS = {
    "nCellAff": "n_cell_aff",
    "nCellEff": "n_cell_eff",
    "nSynAff": "n_syn_aff",
    "nSynEff": "n_syn_eff",
}


#: Neurons and connections are numbered by int32.
MOST = 2**31 - 1


@dataclass(frozen=True)
class Coverage:
    """What of a whole microcircuit a connectome holds.

    Attributes
    ----------
    mtypes : tuple of str
        M-types that are present.
    missing_blocks : tuple of (str, str)
        Pathways ``(pre, post)`` between present m-types of which nothing is known: the file
        has no matrix for them.  In the adjacency they are empty.
    missing_counts : tuple of str
        Columns of `COUNTS` that are unknown for at least one m-type.
    part_of : str
        What the file was taken from, when it is known to be an extract; else empty.
    self_connections : int
        Connections of a neuron with itself that the file had; they are left out.
    """

    mtypes: tuple[str, ...]
    missing_blocks: tuple[tuple[str, str], ...] = ()
    missing_counts: tuple[str, ...] = ()
    part_of: str = ""
    self_connections: int = 0

    @property
    def missing_mtypes(self) -> tuple[str, ...]:
        """M-types, of the 55, that are not present; none where types are the reader's own."""
        return tuple(m for m in names.MTYPES if m not in self.mtypes) if not self.own else ()

    @property
    def own(self) -> bool:
        """Whether types have names that are not the portal's."""
        return not set(self.mtypes) <= set(names.MTYPES)

    @property
    def whole(self) -> bool:
        """Whether this is a whole instance: all 55 m-types, every block, not an extract."""
        return not (self.missing_mtypes or self.missing_blocks or self.part_of)

    def __str__(self) -> str:
        text = "whole" if self.whole else "partial"
        if self.part_of:
            text += f", an extract of {self.part_of}"
        of = "types of its own" if self.own else f"of {len(names.MTYPES)} m-types"
        text += f": {len(self.mtypes)} {of}"
        if self.missing_blocks:
            text += f", {len(self.missing_blocks)} pathways without a matrix"
        if self.missing_counts:
            text += f", no {', '.join(self.missing_counts)}"
        if self.self_connections:
            text += f", {self.self_connections} self-connections left out"
        return text


@explained
@dataclass(frozen=True, eq=False)
class Connectome:
    """Neurons and who contacts whom.

    Attributes
    ----------
    neurons : pandas.DataFrame
        One row a neuron, N rows, index 0 … N−1 in the order of the adjacency: ``mtype`` and
        ``layer`` (ordered categories), ``excitatory`` (bool), soma position ``x_um``,
        ``y_um``, ``z_um`` (y is vertical, larger towards the pia), and ``n_cell_aff``,
        ``n_cell_eff``, ``n_syn_aff``, ``n_syn_eff`` (nullable; partners outside the volume
        included).  Neurons of one m-type stand together, m-types in the order of
        `nmc.names.MTYPES`.
    adjacency : scipy.sparse.csr_array
        (N, N) bool, rows presynaptic, columns postsynaptic, indices int32 and sorted.
    coverage : Coverage
        Whole or partial, and what is missing.
    name : str
        What to call it in a figure.
    origin : str
        Where its file came from: ``sample`` for one of the sample's, wherever it lies.
    invented : bool
        Whether its numbers are synthetic.
    instance : str
        Which of the portal's instances it is, or is a part of (``mc2``, ``individual/P14-13/mc0``,
        ``control/mc0/0``); empty when that is not known.
    weights : array, (connections,), optional
        A number other than 0 for each connection, in the order of ``adjacency.indices``, such as
        its synapses; None where they are unknown.
    """

    neurons: pd.DataFrame
    adjacency: sparse.csr_array
    coverage: Coverage
    name: str = "connectome"
    origin: str = ""
    instance: str = ""
    invented: bool = False
    weights: np.ndarray | None = None

    def __post_init__(self):
        if not isinstance(self.neurons, pd.DataFrame):
            raise ConnectomeError(f"Neurons are a DataFrame, not a {type(self.neurons).__name__}.")
        lacking = [c for c in (*_TYPES, *POSITION) if c not in self.neurons]
        if lacking or not hasattr(self.neurons["mtype"], "cat"):
            raise ConnectomeError(
                f"The neuron table lacks {', '.join(lacking) or 'categories of m-types'}; "
                "nmc.make_connectome builds one."
            )
        if not sparse.issparse(self.adjacency) or self.adjacency.format != "csr":
            raise ConnectomeError(
                f"The adjacency is a {type(self.adjacency).__name__}; give a CSR matrix, "
                "scipy.sparse.csr_array(matrix, dtype=bool)."
            )
        n = len(self.neurons)
        if self.adjacency.shape != (n, n):
            raise ConnectomeError(
                f"The adjacency has shape {self.adjacency.shape}, but there are {n} neurons."
            )
        if self.weights is not None and self.weights.shape != self.adjacency.indices.shape:
            raise ConnectomeError(
                f"There are {self.weights.size} weights of {self.n_connections} connections; "
                "nmc.make_connectome(matrix, …, weights=True) takes them from a matrix."
            )

    @property
    def n_neurons(self) -> int:
        """Number of neurons, N."""
        return len(self.neurons)

    @property
    def n_connections(self) -> int:
        """Number of connections: ordered pairs with at least one synapse."""
        return int(self.adjacency.nnz)

    @property
    def mtypes(self) -> tuple[str, ...]:
        """M-types present, in the order of the neurons."""
        return self.coverage.mtypes

    @property
    def positions(self) -> np.ndarray:
        """Soma positions, (N, 3) float64, µm, columns x, y (vertical), z; all finite."""
        return finite(np.ascontiguousarray(self.neurons[list(POSITION)].to_numpy(float)))

    @property
    def weight_matrix(self) -> sparse.csr_array:
        """Weights as a matrix, (N, N), rows presynaptic; a `ConnectomeError` without weights."""
        if self.weights is None:
            raise ConnectomeError(
                f"The weights of {self.name} are unknown: read them with the connections "
                "(nmc.make_connectome, nmc.from_edges), or give some by Connectome.with_weights."
            )
        graph = self.adjacency
        return sparse.csr_array((self.weights, graph.indices, graph.indptr), graph.shape, copy=True)

    @property
    def groups(self) -> np.ndarray:
        """Index of each neuron's m-type in `mtypes`, (N,) int32."""
        column = self.neurons["mtype"].cat
        lookup = np.full(len(column.categories), -1, np.int32)
        lookup[column.categories.get_indexer(self.mtypes)] = np.arange(len(self.mtypes))
        return lookup[column.codes.to_numpy()]

    def __repr__(self) -> str:
        return (
            f"<Connectome {self.name}: {self.n_neurons:,} neurons, "
            f"{self.n_connections:,} connections ({self.coverage})>"
        )

    def _repr_markdown_(self) -> str:
        return repr(self).strip("<>")

    def with_adjacency(self, adjacency: sparse.sparray | np.ndarray, name: str) -> Connectome:
        """Return the same neurons with other connections, e.g. a null model's.

        Parameters
        ----------
        adjacency : sparse matrix or array, (N, N)
            What is not 0 is a connection; rows presynaptic.
        name : str
            Name of the new connectome.
        """
        graph = canonical(adjacency)
        return replace(self, adjacency=graph, name=name, instance="", weights=None)

    def with_weights(self, weights: Iterable[float]) -> Connectome:
        """Return the same connections with other weights.

        Parameters
        ----------
        weights : array, (connections,)
            Finite numbers other than 0, in the order of ``adjacency.indices``: row by row.
        """
        graph = self.adjacency
        values = as_numbers(
            np.atleast_1d(np.asarray(weights)), where="weights", error=ConnectomeError
        )
        if values.shape != graph.indices.shape or not values.all():
            raise ConnectomeError(
                f"Weights are a number other than 0 for each of {graph.nnz} connections."
            )
        return replace(self, weights=_whole(values))

    def select(self, keep: np.ndarray | Sequence[int], name: str | None = None) -> Connectome:
        """Return some neurons and the connections among them.

        Parameters
        ----------
        keep : bool array of shape (N,), or int array
            A mask, or indices; in the order of the file, each once, whatever the order given.
            It may keep nobody.
        name : str, optional
            Name of the part.

        Raises
        ------
        ConnectomeError
            For a mask of another length, or an index that is no neuron's.
        """
        keep = chosen_neurons(keep, self.n_neurons)  # file order: m-types stay together
        neurons = self.neurons.iloc[keep].reset_index(drop=True)
        codes = np.unique(neurons["mtype"].cat.codes.to_numpy())
        mtypes = tuple(neurons["mtype"].cat.categories[codes])
        old = self.coverage
        coverage = replace(
            old,
            mtypes=mtypes,
            missing_blocks=tuple(b for b in old.missing_blocks if set(b) <= set(mtypes)),
            part_of=old.part_of or (self.name if len(keep) < self.n_neurons else ""),
        )
        if self.weights is None:
            adjacency, weights = canonical(self.adjacency[keep][:, keep]), None
        else:
            adjacency, weights = weighted(self.weight_matrix[keep][:, keep])
        return replace(
            self,
            neurons=neurons,
            adjacency=adjacency,
            weights=weights,
            coverage=coverage,
            name=name or f"{self.name}, {len(keep):,} neurons",
        )

    def subset(
        self,
        *,
        layer: str | Iterable[str] | None = None,
        mtype: str | Iterable[str] | None = None,
        excitatory: bool | None = None,
        within_um: float | None = None,
        of: Iterable[float] | None = None,
        horizontal: bool = False,
    ) -> Connectome:
        """Return a part of the connectome; several conditions must all hold.

        Parameters
        ----------
        layer, mtype : str or iterable of str, optional
            Layers (``"L5"``, ``"L2/3"``) and m-types to keep.
        excitatory : bool, optional
            Keep excitatory (True) or inhibitory (False) neurons only.
        within_um : float, optional
            Keep neurons at most so far, in µm, from `of`.
        of : (x, y, z), optional
            Point the distance is taken from, in µm; the middle of all somata if left out.
        horizontal : bool
            Measure the distance in the horizontal plane (x, z) only: a cylinder.

        Returns
        -------
        Connectome
            It may be empty; its coverage names what it was cut from.

        Raises
        ------
        UnknownNameError
            For a layer or m-type that does not exist, or is not in this connectome.
        ConnectomeError
            For a condition of another kind, or a point without a distance.
        """
        for flag, given in {"excitatory": excitatory, "horizontal": horizontal}.items():
            if not (given is None or isinstance(given, bool | np.bool_)):
                raise ConnectomeError(f"{flag} is True, False or None, not {shown(given)}.")
        if within_um is None and (of is not None or horizontal):
            raise ConnectomeError("A point needs a distance from it: give within_um too.")
        keep = np.ones(self.n_neurons, bool)
        said = []
        for column, wanted, spelled in (
            ("layer", layer, names.canonical_layer),
            ("mtype", mtype, names.canonical_mtype),
        ):
            if wanted is None:
                continue
            present = set(self.neurons[column].astype(str))
            words = map(str, listed(wanted))
            each = [w if w in present or self.coverage.own else spelled(w) for w in words]
            for one in each:
                check_choice(f"{column} in {self.name},", one, present)
            keep &= self.neurons[column].isin(each).to_numpy()
            said.append(" + ".join(each) or f"no {column}")
        if excitatory is not None:
            keep &= (self.neurons["excitatory"] == excitatory).fillna(False).to_numpy(bool)
            said.append("excitatory" if excitatory else "inhibitory")
        if within_um is not None:
            within_um = as_number(within_um, where="within_um", low=0, error=ConnectomeError)
            keep &= self._distance_to(of, horizontal) <= within_um
            said.append(f"within {within_um:g} µm")
        return self.select(keep, ", ".join([self.name, *said]))

    def _distance_to(self, of: Iterable[float] | None, horizontal: bool) -> np.ndarray:
        axes = [0, 2] if horizontal else [0, 1, 2]
        xyz = self.positions
        if of is None:
            of = xyz.sum(axis=0) / max(len(xyz), 1)
        try:
            of = np.array([float(x) for x in of])
        except (TypeError, ValueError):
            of = np.empty(0)
        if of.shape != (3,) or not np.isfinite(of).all():
            raise ConnectomeError("The point is three finite numbers of µm: of=(x, y, z).")
        return np.sqrt(((xyz[:, axes] - of[axes]) ** 2).sum(axis=1))


def canonical(matrix: sparse.sparray | np.ndarray) -> sparse.csr_array:
    """Return what is not 0 in a square matrix as bool CSR of its own, indices sorted int32."""
    _check_matrix(matrix)
    csr = sparse.csr_array(matrix.astype(bool))  # a copy: the caller's stays as it is
    _must_fit(csr.nnz, "connections")
    csr.sum_duplicates()
    csr.eliminate_zeros()
    csr.indices = csr.indices.astype(np.int32, copy=False)
    csr.indptr = csr.indptr.astype(np.int32, copy=False)
    return csr


def weighted(matrix: sparse.sparray | np.ndarray) -> tuple[sparse.csr_array, np.ndarray]:
    """Return the `canonical` structure of weights, and its values; those of one place add up."""
    _check_matrix(matrix)
    csr = sparse.csr_array(matrix.astype(float))
    csr.sum_duplicates()
    csr.eliminate_zeros()
    if not np.isfinite(csr.data).all():
        raise ConnectomeError("A weight is no finite number; give every connection one.")
    return canonical(csr), _whole(csr.data)


def _check_matrix(matrix: sparse.sparray | np.ndarray) -> None:
    """Refuse what is no square matrix of numbers, or too large, before a row of each is made."""
    if not (sparse.issparse(matrix) or isinstance(matrix, np.ndarray)):
        raise ConnectomeError(
            f"A {type(matrix).__name__} is no adjacency; give a matrix, sparse or not."
        )
    shape, dtype = matrix.shape, matrix.dtype
    _must_fit(max(shape, default=0), "neurons")
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ConnectomeError(f"The adjacency has shape {shape}; it must be square.")
    if dtype.kind not in "biuf" or (dtype.kind == "f" and np.isnan(matrix.sum(dtype=float))):
        raise ConnectomeError(f"The adjacency holds what is no number ({dtype}).")


def _must_fit(number: int, what: str) -> None:
    if number > MOST:
        raise ConnectomeError(
            f"{number:,} {what} are more than a connectome can number ({MOST:,}): take a part."
        )


def _whole(values: np.ndarray) -> np.ndarray:
    """Return numbers as int64 where all are whole and below 2⁵³."""
    whole = np.abs(values).max(initial=0) < 2**53 and (values == np.rint(values)).all()
    return values.astype(np.int64) if whole else values


#: Of each m-type, in the order of `names.MTYPES`.
_LAYERS = np.array([names.LAYERS.index(names.layer_of(m)) for m in names.MTYPES])
_EXCITATORY = np.array([names.is_excitatory(m) for m in names.MTYPES])


def make_neurons(
    mtype_codes: np.ndarray, positions: np.ndarray, counts: dict[str, np.ndarray] | None = None
) -> pd.DataFrame:
    """Build the neuron table from m-type indices, positions in µm, `COUNTS` (negative: unknown)."""
    codes = np.asarray(mtype_codes, np.intp)
    table = {
        "mtype": pd.Categorical.from_codes(codes, names.MTYPES, ordered=True),
        "layer": pd.Categorical.from_codes(_LAYERS[codes], names.LAYERS, ordered=True),
        "excitatory": _EXCITATORY[codes],
    }
    table |= {axis: np.asarray(positions[:, i], float) for i, axis in enumerate(POSITION)}
    for column in COUNTS.values():
        values = np.asarray((counts or {}).get(column, np.full(len(codes), -1)), np.int64)
        table[column] = pd.arrays.IntegerArray(np.maximum(values, 0), values < 0)
    return pd.DataFrame(table)
