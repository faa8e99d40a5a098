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
from math import prod
from pathlib import Path
from typing import TypeVar

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

_Member = TypeVar("_Member", h5py.Group, h5py.Dataset)


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
        place = of.name if of else "it"  # looking up a name takes time: only where it is told
        raise FormatError(
            f"{place} cannot be read as HDF5 ({said}); the file is damaged, cut short, or uses "
            "a filter this h5py does not have: fetch it again."
        ) from error


def _read(file: h5py.File, report: Callable[[float], None]) -> tuple[dict, dict]:
    populations = _populations(file)
    neurons = _neurons(populations)
    sizes = {mtype: data.shape[0] for mtype, (_, data) in populations.items()}
    wiring, missing, n_self = _connections(file, sizes, report)
    if len(missing) == len(sizes) ** 2:
        raise FormatError("there is no /connectivity/<pre>/<post>/cMat; at least one is needed.")
    codes = [names.MTYPES.index(mtype) for mtype in sizes]
    neurons["mtypes"] = np.repeat(codes, list(sizes.values())).astype(np.int8)
    meta = {
        "mtypes": list(sizes),
        "missing_counts": [name for name in COUNTS if (neurons[name] < 0).any()],
        "missing_blocks": missing,
        "self_connections": n_self,
    }
    return meta, neurons | wiring


# --- members of a group; nothing leads out of the file


def _member(parent: h5py.Group, name: str, kind: type[_Member]) -> _Member:
    """Open a group or dataset that lies in this file itself: a link may lead anywhere."""
    links, key = parent.id.links, name.encode()  # low-level: there are thousands of members
    wrong = ""
    with _library(parent):
        known = links.exists(key)
        own = known and links.get_info(key).type == h5py.h5l.TYPE_HARD
        member = parent[name] if own else None
        if isinstance(member, h5py.Dataset):
            if member.is_virtual or member.external:
                wrong = "points into another file; that is not followed"
            elif prod(member.chunks or (), start=float(member.dtype.itemsize)) > MAX_CHUNK_BYTES:
                wrong = "has chunks of over a gigabyte, which are not read"
    if isinstance(member, kind) and not wrong:
        return member
    place = f"{parent.name.rstrip('/')}/{name}"
    if not known:
        raise FormatError(f"it has no {place}.")
    if not own:
        wrong = "is a link to another place or file; that is not followed"
    raise FormatError(f"{place} {wrong or f'is not a {kind.__name__.lower()}'}.")


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


def _check(data: h5py.Dataset, shapes: Container[tuple], kinds: str, expected: str) -> None:
    if data.shape not in shapes or data.dtype.kind not in kinds:
        raise FormatError(
            f"{data.name} has shape {data.shape} and type {data.dtype}; expected {expected}."
        )


# --- neurons


def _populations(file: h5py.File) -> dict[str, tuple[h5py.Group, h5py.Dataset]]:
    """Group and positions of each m-type, in the order of m-types."""
    parent = _member(file, "populations", h5py.Group)
    spelled, found, total = _mtypes(parent), {}, 0
    for mtype in sorted(spelled, key=names.MTYPES.index):
        group = _member(parent, spelled[mtype], h5py.Group)
        data = _member(group, "locations", h5py.Dataset)
        _check(data, [(*data.shape[:1], 3)], "iuf", "(N, 3) numbers")
        found[mtype] = group, data
        total += data.shape[0]
    if not 0 < total <= MAX_NEURONS:
        raise FormatError(
            f"/populations has {total:,} neurons, too many or none: expected 1 to {MAX_NEURONS:,}."
        )
    return found


def _neurons(populations: dict) -> dict[str, np.ndarray]:
    """Positions and counts of all neurons; a count is −1 where the file has none."""
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("positions", *COUNTS)}
    for group, data in populations.values():
        n = data.shape[0]
        with _library(data):
            columns["positions"].append(data[()].astype(float))
        if not np.isfinite(columns["positions"][-1]).all():
            raise FormatError(f"{data.name} holds a value that is not finite.")
        for name in COUNTS:
            values = np.full(n, -1)
            if name in group:
                count = _member(group, name, h5py.Dataset)
                _check(count, [(n, 1), (n,), (1, n)], "iuf", f"({n}, 1) counts")
                with _library(count):
                    values = count[()].ravel()
                values = as_counts(values, where=count.name, high=2**31 - 1)
            columns[name].append(values.astype(np.int32))
    return {name: np.concatenate(values) for name, values in columns.items()}


# --- connections


def _connections(
    file: h5py.File, sizes: dict[str, int], report: Callable[[float], None]
) -> tuple[dict[str, np.ndarray], list[list[str]], int]:
    """The adjacency's arrays, pathways without a matrix, and how many connect to themselves."""
    spelled = next((s for s in CONNECTIVITY if s in file), CONNECTIVITY[0])
    parent = _member(file, spelled, h5py.Group)
    groups, missing, n_self = _mtypes(parent, sizes), [], 0
    empty = np.empty(0, np.int32)
    n_out, targets, weights = [np.zeros(1, np.int64)], [], [empty]
    for done, (pre, height) in enumerate(sizes.items()):
        matrices = _matrices(parent, groups.get(pre), pre, sizes)
        missing += [[pre, post] for post in sizes if post not in matrices]
        # Rows that 16 bits can number are sorted several times as fast.
        short = np.uint16 if height <= 2**16 else np.int32
        rows, columns, counts, shift = [np.empty(0, short)], [empty], [empty], 0
        for post, width in sizes.items():
            if post in matrices and height and width:
                place, count = _ones(*matrices[post])
                if pre == post:
                    kept = place % (width + 1) != 0
                    n_self += int((~kept).sum())
                    place, count = place[kept], count[kept[: count.size]]
                row = place // width  # faster than divmod
                rows.append(row.astype(short))
                columns.append((place - row * width + shift).astype(np.int32))
                counts.append(count)
            shift += width
        row, count = np.concatenate(rows), np.concatenate(counts)
        order = np.argsort(row, kind="stable")  # within a row they ascend
        n_out.append(np.bincount(row, minlength=height))
        targets.append(np.concatenate(columns)[order])
        if count.size == row.size:
            weights.append(count[order])
        report((done + 1) / len(sizes))
    indptr = np.cumsum(np.concatenate(n_out))
    if indptr[-1] >= 2**31:
        raise FormatError(f"{indptr[-1]:,} connections are more than a microcircuit has.")
    wiring = {"indptr": indptr.astype(np.int32), "indices": np.concatenate(targets)}
    known = np.concatenate(weights)
    if known.size == indptr[-1] > 0:
        wiring["weights"] = known
    return wiring, missing, n_self


def _matrices(
    parent: h5py.Group, spelled: str | None, pre: str, sizes: dict[str, int]
) -> dict[str, tuple[h5py.Dataset, h5py.Dataset | None]]:
    """Open the matrices of a presynaptic type, checked against the numbers of neurons."""
    if spelled is None:
        return {}
    group, found = _member(parent, spelled, h5py.Group), {}
    posts = _mtypes(group, sizes)
    for post in [one for one in sizes if one in posts]:
        block = _member(group, posts[post], h5py.Group)
        with _library(block):
            whole, counted = map(block.id.links.exists, (b"cMat", b"contacts"))
            others = [] if whole else list(block)
        if others:
            raise FormatError(f"{block.name} holds {others[0]}, no cMat.")
        if whole:
            data = _member(block, "cMat", h5py.Dataset)
            contacts = _member(block, "contacts", h5py.Dataset) if counted else None
            for one in (data,) if contacts is None else (data, contacts):
                shape = sizes[pre], sizes[post]
                _check(
                    one, [shape], "biuf", f"0/1 numbers for {shape[0]:,} by {shape[1]:,} neurons"
                )
            found[post] = data, contacts
    return found


def _ones(data: h5py.Dataset, contacts: h5py.Dataset | None) -> tuple[np.ndarray, np.ndarray]:
    """Flat places of a matrix's ones, and their contacts if known; other values are an error."""
    n_rows, width = data.shape
    places, counts = [], [np.empty(0, np.int32)]
    step = max(1, SLAB_BYTES // (width * data.dtype.itemsize))
    if data.chunks:  # each chunk is unpacked once
        step = max(1, step // data.chunks[0]) * data.chunks[0]
    for first in range(0, n_rows, step):
        with _library(data):
            values = data[first : first + step]
        # Bytes of 0 and 1 are bools as they stand.
        bits = values.itemsize == 1 and values.view(np.uint8).max() <= 1
        ones = values.view(bool) if bits else values == 1
        if not bits and np.count_nonzero(values) != np.count_nonzero(ones):
            row, column = np.argwhere((values != 0) & (values != 1))[0]
            raise FormatError(
                f"{data.name} holds {values[row, column]} at row {first + row}, column {column}; "
                "only 0 and 1 are connections."
            )
        places.append(np.flatnonzero(ones) + first * width)
        if contacts is not None:
            with _library(contacts):
                values = contacts[first : first + step]
            some = values[ones]
            if ((values > 0) != ones).any() or (some >= 2**31).any() or (some % 1 != 0).any():
                raise FormatError(f"{contacts.name} does not count the synapses of cMat.")
            counts.append(some.astype(np.int32))
    return np.concatenate(places), np.concatenate(counts)


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
            n, columns, told = _nodes(file["nodes"][wanted])
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
    meta = {"nodes": n, "columns": list(columns), "population": wanted} | told
    ids = {"pre": pre.astype(np.int64), "post": post.astype(np.int64)}
    return meta, arrays | ids | {"synapses": synapses}


def _open_in(config: Path, places: Mapping[str, str], file: str) -> h5py.File:
    longest_first = sorted(places, key=len, reverse=True)
    for variable in longest_first * len(places):  # one may stand in another's value
        file = file.replace(variable, places[variable])
    return h5py.File(config.parent / file, "r")


def _nodes(population: h5py.Group) -> tuple[int, dict[str, np.ndarray], dict[str, dict]]:
    """Read number and attributes of the nodes of a population.

    Also what `nmc.to_sonata` tells of attributes: the ``dtype`` they had, the ``unknown`` label.
    """
    n, group = population["node_type_id"].shape[0], population["0"]
    library, columns = group.get("@library", {}), {}
    told: dict[str, dict] = {"dtype": {}, "unknown": {}}
    for name, data in group.items():
        if not isinstance(data, h5py.Dataset) or data.shape != (n,):
            continue
        values = data.asstr()[()].astype("U") if data.dtype.kind in "OS" else data[()]
        if name in library:
            values = library[name].asstr()[()].astype("U")[values]
        columns[name] = values
        if values.dtype.kind == "U":
            told["unknown"][name] = _text(data.attrs.get("nmc_unknown", ""))
        elif "nmc_dtype" in data.attrs:
            told["dtype"][name] = _text(data.attrs["nmc_dtype"])
    return n, columns, told


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
