"""Read a connectome HDF5 file in processes of their own: files from anywhere may end them.

A large file is read by two at once, each a share of its rows.  Unpacking and scanning are most of
the work, and the HDF5 library does one thing at a time in a process, so this nearly halves it,
whatever the file's filters are.  More would be quicker still, but each takes about 100 MB.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm.auto import tqdm

from nmc.connectome import store
from nmc.errors import FormatError

#: Arguments of the interpreter that reads a file, or a share of it.
READER = ["-m", "nmc.connectome.hdf5"]
#: Processes that read a large file, and from which size on.
PROCESSES = 2
LARGE_BYTES = 8 << 20


def read_hdf5(path: str | Path, folder: str | Path, *, progress: bool = True) -> None:
    """Read an HDF5 file in child processes and write its compact form into `folder`.

    Parameters
    ----------
    path : str or Path
        The file.
    folder : str or Path
        An existing, empty folder.
    progress : bool
        Show progress on stderr when it takes long.

    Raises
    ------
    FormatError
        For a file that is not a connectome file, or that ends the process reading it.
    """
    path, folder = Path(path).absolute(), Path(folder)
    of = PROCESSES if path.stat().st_size >= LARGE_BYTES else 1
    drafts = [folder / f"share-{share}" for share in range(of)]
    for draft in drafts:
        draft.mkdir()
    children = [_start(path, draft, share, of) for share, draft in enumerate(drafts)]
    with (
        tqdm(
            total=0, unit="block", desc=path.name, disable=not progress, delay=3.0, leave=False
        ) as bar,
        ThreadPoolExecutor(of) as threads,
    ):
        try:
            errors = list(threads.map(lambda child: _follow(child, path.name, bar), children))
        finally:
            for child in children:
                child.kill()  # only when the caller is interrupted is any still at work
    for error in filter(None, errors):
        raise FormatError(error)
    try:
        store.join([store.open_compact(draft) for draft in drafts]).write(folder)
    except FormatError as error:
        raise FormatError(f"{path.name}: {error}") from None


def _start(path: Path, draft: Path, share: int, of: int) -> subprocess.Popen:
    # PYTHONSAFEPATH: no module may be picked up from the folder the data lie in.
    return subprocess.Popen(
        [sys.executable, *READER, str(path), str(draft), str(share), str(of)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONSAFEPATH": "1"},
    )


def _follow(child: subprocess.Popen, name: str, bar: tqdm) -> str | None:
    """Show what a child reports; return what went wrong."""
    error, done = None, 0
    with child:
        for line in child.stdout:
            message = json.loads(line)
            error = message.get("error", error)
            bar.total = message.get("total", bar.total)
            bar.update(message.get("done", done) - done)
            done = message.get("done", done)
        said = child.stderr.read()
    if child.returncode == 0:
        return None
    if error is None:
        last = (said.strip().splitlines() or [f"status {child.returncode}"])[-1]
        error = f"{name} ended the process that read it ({last}): fetch it again."
    return error
