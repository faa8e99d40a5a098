"""Read connectome files of HDF5: the portal's, block by block into a sparse matrix, and SONATA's.

`read` and `read_sonata` are tasks of `nmc.child`: the HDF5 library parses files from anywhere, and
a damaged one may take its process down.  The portal's format is that of its read-me and the
readers made for it::

    /populations/<m-type>/locations                        (N, 3) µm, y vertical
    /populations/<m-type>/{nCellAff,nCellEff,nSynAff,nSynEff}   (N, 1), may be absent
    /connectivity/<pre>/<post>/cMat                        (N_pre, N_post) 0/1, may be absent
    /connectivity/<pre>/<post>/contacts    the same with synapses per connection, in extracts only
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from math import prod
from pathlib import Path

import h5py
import numpy as np

from nmc import names
from nmc.errors import ConnectomeError, FormatError, NMCError, UnknownNameError
from nmc.numbers import as_counts

#: The group of matrices; the second spelling stands in some of the portal's files.
CONNECTIVITY = ("connectivity", "connectivty")
COUNTS = ("nCellAff", "nCellEff", "nSynAff", "nSynEff")
#: Files beyond these sizes are no microcircuit of this collaboration (31,346 neurons).
MAX_NEURONS = 400_000
#: Larger chunks are not read: one has to be unpacked in memory in one piece.
MAX_CHUNK_BYTES = 1 << 30
#: Matrices are read in slabs of rows of about this size.
SLAB_BYTES = 8 << 20


def read(params: Mapping, report: Callable[[float], None]) -> tuple[dict, dict[str, np.ndarray]]:
    """Read a connectome file; a task of `nmc.child`.

    Arrays: the adjacency's ``indptr`` and ``indices``, ``weights`` if each matrix has contacts,
    ``mtypes`` (index in `nmc.names.MTYPES`), ``positions`` (µm), `COUNTS`, −1 where unknown.
    """
    name = Path(params["path"]).name
    try:
        with _library():
            # Every chunk is unpacked once: a cache for them would only take memory.
            file = h5py.File(params["path"], "r", rdcc_nbytes=0)
        with file:
            return _read(file, report)
    except NMCError as error:
        raise type(error)(f"{name}: {error}") from error
    except Exception as error:
        raise ConnectomeError(
            f"{name}: reading it failed inside this package ({type(error).__name__}: {error}); "
            "the file need not be damaged: please report it."
        ) from error


@contextmanager
def _library(of: h5py.HLObject | None = None) -> Iterator[None]:
    """Call h5py, and nothing else: what it raises is about the file."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        place = of.name if of else "it"
        raise FormatError(
            f"{place} cannot be read as HDF5 ({said}); the file is damaged, cut short, or uses "
            "a filter this h5py does not have: fetch it again."
        ) from error


def _read(file: h5py.File, report: Callable[[float], None]) -> tuple[dict, dict]:
    populations = _populations(file)
    sizes = {mtype: data.shape[0] for mtype, (_, data) in populations.items()}
    positions, counts = _neurons(populations)
    wiring, missing, n_self = _connections(file, sizes, report)
    if len(missing) == len(sizes) ** 2:
        raise FormatError("there is no /connectivity/<pre>/<post>/cMat; at least one is needed.")
    codes = [names.MTYPES.index(mtype) for mtype in sizes]
    mtypes = np.repeat(codes, list(sizes.values())).astype(np.int8)
    meta = {
        "mtypes": list(sizes),
        "missing_counts": [name for name, values in counts.items() if (values < 0).any()],
        "missing_blocks": missing,
        "self_connections": n_self,
    }
    return meta, {"mtypes": mtypes, "positions": positions} | wiring | counts


# --- members of a group; nothing leads out of the file


def _group(parent: h5py.Group, name: str) -> h5py.Group:
    """Open a group of its own file."""
    return _member(parent, name, h5py.Group, "a group")


def _dataset(parent: h5py.Group, name: str) -> h5py.Dataset:
    """Open a dataset of its own file; virtual, external and giant-chunk ones are refused."""
    data = _member(parent, name, h5py.Dataset, "a dataset")
    with _library(data):
        elsewhere = data.is_virtual or data.external
        chunk_bytes = prod(data.chunks or (), start=float(data.dtype.itemsize))
    if elsewhere:
        raise FormatError(f"{data.name} points into another file; that is not followed.")
    if chunk_bytes > MAX_CHUNK_BYTES:
        raise FormatError(f"{data.name} has chunks of over a gigabyte, which are not read.")
    return data


def _member(parent: h5py.Group, name: str, kind: type, what: str):
    """Open a member that hard-links to a place in this file: other links may lead anywhere."""
    links, key = parent.id.links, name.encode()  # low-level: there are thousands of members
    with _library(parent):
        known = links.exists(key)
        own = known and links.get_info(key).type == h5py.h5l.TYPE_HARD
        member = parent[name] if own else None
    if isinstance(member, kind):
        return member
    place = f"{parent.name.rstrip('/')}/{name}"
    if not known:
        raise FormatError(f"it has no {place}.")
    if not own:
        raise FormatError(f"{place} is a link to another place or file; that is not followed.")
    raise FormatError(f"{place} is not {what}.")


def _mtypes(parent: h5py.Group, known: Container[str] = names.MTYPES) -> dict[str, str]:
    """M-types among the members of a group, all of them known, with their spelling there."""
    with _library(parent):
        members = list(parent)
    found: dict[str, str] = {}
    for spelled in members:
        try:
            mtype = names.canonical_mtype(spelled)
        except UnknownNameError as error:
            raise FormatError(f"{parent.name.rstrip('/')}/{spelled}: {error}") from None
        if mtype in found:
            raise FormatError(
                f"{parent.name} holds {mtype} twice, as {found[mtype]} and {spelled}."
            )
        if mtype not in known:
            raise FormatError(f"{parent.name} names {mtype}, which has no neurons in /populations.")
        found[mtype] = spelled
    return found


# --- neurons


def _populations(file: h5py.File) -> dict[str, tuple[h5py.Group, h5py.Dataset]]:
    """Group and positions of each m-type, in the order of m-types."""
    parent = _group(file, "populations")
    spelled = _mtypes(parent)
    if not spelled:
        raise FormatError("/populations is empty.")
    found = {}
    for mtype in sorted(spelled, key=names.MTYPES.index):
        group = _group(parent, spelled[mtype])
        data = _dataset(group, "locations")
        if data.ndim != 2 or data.shape[1] != 3 or data.dtype.kind not in "iuf":
            raise FormatError(
                f"{data.name} has shape {data.shape} and type {data.dtype}; "
                "expected (N, 3) numbers."
            )
        if data.shape[0] > MAX_NEURONS:
            raise FormatError(f"{data.name} has {data.shape[0]:,} rows: too many for {mtype}.")
        found[mtype] = group, data
    total = sum(data.shape[0] for _, data in found.values())
    if not 0 < total <= MAX_NEURONS:
        raise FormatError(
            f"/populations has {total:,} neurons; expected between 1 and {MAX_NEURONS:,}."
        )
    return found


def _neurons(populations: dict) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    positions: list[np.ndarray] = []
    counts: dict[str, list[np.ndarray]] = {name: [] for name in COUNTS}
    for group, data in populations.values():
        with _library(data):
            positions.append(data[()].astype(float))
        if not np.isfinite(positions[-1]).all():
            raise FormatError(f"{data.name} holds a value that is not finite.")
        for name, kept in counts.items():
            n = len(positions[-1])
            kept.append(_count(group, name, n) if name in group else np.full(n, -1, np.int32))
    return np.concatenate(positions), {k: np.concatenate(v) for k, v in counts.items()}


def _count(group: h5py.Group, name: str, n: int) -> np.ndarray:
    data = _dataset(group, name)
    if data.shape not in ((n, 1), (n,), (1, n)) or data.dtype.kind not in "iuf":
        raise FormatError(
            f"{data.name} has shape {data.shape} and type {data.dtype}; expected ({n}, 1) counts."
        )
    with _library(data):
        values = data[()].ravel()
    return as_counts(values, where=data.name, high=2**31 - 1).astype(np.int32)


# --- connections


def _connections(
    file: h5py.File, sizes: dict[str, int], report: Callable[[float], None]
) -> tuple[dict[str, np.ndarray], list[list[str]], int]:
    spelled = next((s for s in CONNECTIVITY if s in file), None)
    if spelled is None:
        raise FormatError("it has no group /connectivity.")
    parent = _group(file, spelled)
    groups = _mtypes(parent, sizes)
    firsts = np.cumsum([0, *sizes.values()])
    n_out, targets, weights, missing, n_self = [], [], [], [], 0
    for done, pre in enumerate(sizes):
        matrices = _matrices(parent, groups.get(pre), pre, sizes)
        rows, columns, values = [], [], []
        for post, shift in zip(sizes, firsts, strict=False):
            if post not in matrices:
                missing.append([pre, post])
                continue
            row, column, value = _ones(*matrices[post])
            if pre == post:
                kept = row != column
                n_self += int((~kept).sum())
                row, column, value = row[kept], column[kept], value[kept[: value.size]]
            rows.append(row)
            columns.append(column + np.int32(shift))
            values.append(value)
        row = np.concatenate(rows) if rows else np.empty(0, np.uint16)
        column = np.concatenate(columns) if columns else np.empty(0, np.int32)
        order = np.argsort(row, kind="stable")  # within a row they ascend
        n_out.append(np.bincount(row, minlength=sizes[pre]))
        targets.append(column[order])
        known = np.concatenate(values) if values else np.empty(0, np.int32)
        weights.append(known[order] if known.size == row.size else known[:0])
        report((done + 1) / len(sizes))
    indptr = np.concatenate([[0], np.cumsum(np.concatenate(n_out))])
    if indptr[-1] >= 2**31:
        raise FormatError(f"{indptr[-1]:,} connections are more than a microcircuit has.")
    wiring = {
        "indptr": indptr.astype(np.int32),
        "indices": np.concatenate(targets).astype(np.int32),
    }
    known = np.concatenate(weights)
    if known.size and known.size == indptr[-1]:
        wiring["weights"] = known
    return wiring, missing, n_self


def _matrices(
    parent: h5py.Group, spelled: str | None, pre: str, sizes: dict[str, int]
) -> dict[str, tuple[h5py.Dataset, h5py.Dataset | None]]:
    """Open the matrices of a presynaptic type, checked against the numbers of neurons."""
    if spelled is None:
        return {}
    group, found = _group(parent, spelled), {}
    posts = _mtypes(group, sizes)
    for post in sizes:
        if post not in posts:
            continue
        block = _group(group, posts[post])
        with _library(block):
            whole, counted = map(block.id.links.exists, (b"cMat", b"contacts"))
            others = [] if whole else list(block)
        if others:
            raise FormatError(f"{block.name} holds {others[0]}, no cMat.")
        if not whole:
            continue
        data = _dataset(block, "cMat")
        contacts = _dataset(block, "contacts") if counted else None
        shape = sizes[pre], sizes[post]
        for one in (data,) if contacts is None else (data, contacts):
            if one.shape != shape:
                raise FormatError(
                    f"{one.name} has shape {one.shape}, but {pre} has {shape[0]:,} neurons "
                    f"and {post} {shape[1]:,}."
                )
            if one.dtype.kind not in "biuf":
                raise FormatError(f"{one.name} has type {one.dtype}; expected 0/1 numbers.")
        found[post] = data, contacts
    return found


def _ones(
    data: h5py.Dataset, contacts: h5py.Dataset | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and contacts of a matrix's ones, row by row; other values are an error."""
    n_rows, width = data.shape
    found, values_found = [], [np.empty(0, np.int32)]
    if not n_rows or not width:
        return np.empty(0, np.uint16), np.empty(0, np.int32), values_found[0]
    step = max(1, SLAB_BYTES // (width * data.dtype.itemsize))
    if data.chunks:  # each chunk is unpacked once
        step = max(1, step // data.chunks[0]) * data.chunks[0]
    for first, last in pairwise([*range(0, n_rows, step), n_rows]):
        with _library(data):
            values = data[first:last]
        # Bytes of 0 and 1 are bools as they stand.
        bits = values.itemsize == 1 and values.view(np.uint8).max() <= 1
        ones = values.view(bool) if bits else values == 1
        if not bits and np.count_nonzero(values) != np.count_nonzero(ones):
            row, column = np.argwhere((values != 0) & (values != 1))[0]
            raise FormatError(
                f"{data.name} holds {values[row, column]} at row {first + row}, column {column}; "
                "only 0 and 1 are connections."
            )
        found.append(np.flatnonzero(ones) + first * width)
        if contacts is not None:
            with _library(contacts):
                values = contacts[first:last]
            some = values[ones]
            if ((values > 0) != ones).any() or (some >= 2**31).any() or (some % 1 != 0).any():
                raise FormatError(f"{contacts.name} does not count the synapses of cMat.")
            values_found.append(some.astype(np.int32))
    places = np.concatenate(found)
    row = places // width  # faster than divmod
    column = places - row * width
    # Rows that 16 bits can number are sorted several times as fast.
    row = row.astype(np.uint16 if n_rows <= 2**16 else np.int32)
    return row, column.astype(np.int32), np.concatenate(values_found)


# --- SONATA


def read_sonata(params: Mapping, report: Callable) -> tuple[dict, dict[str, np.ndarray]]:
    """Read the files of a SONATA circuit; a task of `nmc.child`."""
    path = Path(params["path"])
    try:
        config = json.loads(path.read_text("utf-8"))
        places = {"$BASE_DIR": ".", **config.get("manifest", {})}
        networks = config["networks"]
        found: dict[str, str] = {}
        for listed in networks["nodes"]:
            with _open_in(path, places, listed["nodes_file"]) as file:
                found |= dict.fromkeys(file["nodes"], listed["nodes_file"])
        wanted = params["population"] or (next(iter(found)) if len(found) == 1 else None)
        if wanted not in found:
            raise FormatError(
                f"{path.name}: there is no node population {wanted!r}, but {', '.join(found)}."
            )
        with _open_in(path, places, found[wanted]) as file:
            n, columns = _nodes(file["nodes"][wanted])
        ends = [np.empty((3, 0), np.int64)]
        for listed in networks["edges"]:
            with _open_in(path, places, listed["edges_file"]) as file:
                for group in file["edges"].values():
                    sides = [group[f"{end}_node_id"] for end in ("source", "target")]
                    if all(_text(s.attrs["node_population"]) == wanted for s in sides):
                        pre, post = (s[()].astype(np.int64) for s in sides)
                        synapses = group["0/nsyns"][()] if "0/nsyns" in group else np.ones(pre.size)
                        ends.append(np.array([pre, post, synapses]))
    except (OSError, RuntimeError, KeyError, IndexError, ValueError, TypeError) as error:
        raise FormatError(f"{path.name} is no SONATA circuit that can be read: {error}.") from error
    pre, post, synapses = np.concatenate(ends, axis=1)
    if pre.size and (min(pre.min(), post.min()) < 0 or max(pre.max(), post.max()) >= n):
        raise FormatError(f"{path.name}: an edge names a node that population {wanted} has not.")
    arrays = {f"column {i}": values for i, values in enumerate(columns.values())}
    meta = {"nodes": n, "columns": list(columns), "population": wanted}
    ids = {"pre": pre.astype(np.int64), "post": post.astype(np.int64)}
    return meta, arrays | ids | {"synapses": synapses}


def _open_in(config: Path, places: Mapping[str, str], file: str) -> h5py.File:
    longest_first = sorted(places, key=len, reverse=True)
    for variable in longest_first * len(places):  # one may stand in another's value
        file = file.replace(variable, places[variable])
    return h5py.File(config.parent / file, "r")


def _nodes(population: h5py.Group) -> tuple[int, dict[str, np.ndarray]]:
    """Read number and attributes of the nodes of a population."""
    n, group = population["node_type_id"].shape[0], population["0"]
    library, columns = group.get("@library", {}), {}
    for name, data in group.items():
        if not isinstance(data, h5py.Dataset) or data.shape != (n,):
            continue
        values = data.asstr()[()].astype("U") if data.dtype.kind in "OS" else data[()]
        if name in library:
            values = np.array([_text(label) for label in library[name][()]], "U")[values]
        columns[name] = values.astype(bool) if data.attrs.get("nmc_dtype") == "bool" else values
    return n, columns


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
