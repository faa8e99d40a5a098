"""Members of an HDF5 group, looked up so that nothing leads out of the file."""

from __future__ import annotations

import h5py
import numpy as np

from nmc import names
from nmc.errors import FormatError, UnknownNameError

#: Larger chunks are not read: one has to be unpacked in memory as a whole.
MAX_CHUNK_BYTES = 1 << 30


def mtypes(parent: h5py.Group) -> dict[str, str]:
    """M-types among the members of a group, with their spelling there."""
    found: dict[str, str] = {}
    for spelled in parent:
        try:
            mtype = names.canonical_mtype(spelled)
        except UnknownNameError as error:
            raise FormatError(f"{path(parent, spelled)}: {error}") from None
        if mtype in found:
            raise FormatError(
                f"{parent.name} holds {mtype} twice, as {found[mtype]} and {spelled}."
            )
        found[mtype] = spelled
    return found


class Absent(FormatError):
    """A member that is not there."""


def check_hard(parent: h5py.Group, name: str) -> None:
    """Refuse links that lead elsewhere (soft, external): they may be cyclic or leave the file."""
    try:
        link = parent.id.links.get_info(name.encode())
    except (KeyError, RuntimeError):
        raise Absent(f"it has no {path(parent, name)}.") from None
    if link.type != h5py.h5l.TYPE_HARD:
        raise FormatError(
            f"{path(parent, name)} is a link to another place or file; that is not followed."
        )


def group(parent: h5py.Group, name: str) -> h5py.Group:
    """Open a group of its own file."""
    check_hard(parent, name)
    item = h5py.h5o.open(parent.id, name.encode())
    if not isinstance(item, h5py.h5g.GroupID):
        raise FormatError(f"{path(parent, name)} is not a group.")
    return h5py.Group(item)


def dataset_id(parent: h5py.Group, name: str) -> h5py.h5d.DatasetID:
    """Open a dataset of its own file; virtual, external and giant-chunk ones are refused."""
    check_hard(parent, name)
    item = h5py.h5o.open(parent.id, name.encode())
    if not isinstance(item, h5py.h5d.DatasetID):
        raise FormatError(f"{path(parent, name)} is not a dataset.")
    if item.get_offset() is not None:  # its bytes lie in this file, in one piece
        return item
    creation = item.get_create_plist()
    layout = creation.get_layout()
    chunked = layout == h5py.h5d.CHUNKED
    if layout == h5py.h5d.VIRTUAL or (not chunked and creation.get_external_count()):
        raise FormatError(f"{path(parent, name)} points into another file; that is not followed.")
    if chunked:
        chunk_bytes = np.prod(creation.get_chunk(), dtype=float) * item.dtype.itemsize
        if chunk_bytes > MAX_CHUNK_BYTES:
            raise FormatError(
                f"{path(parent, name)} has chunks of over a gigabyte, which are not read."
            )
    return item


def dataset(parent: h5py.Group, name: str) -> h5py.Dataset:
    """Open a dataset as h5py's object."""
    return h5py.Dataset(dataset_id(parent, name))


def path(parent: h5py.Group, name: str) -> str:
    """Full path of a member, for messages."""
    return f"{parent.name.rstrip('/')}/{name}"
