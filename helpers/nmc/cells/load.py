"""The same cell in your own session: for researchers who drive NEURON themselves."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stdout
from io import StringIO

from nmc.cells import mechanisms
from nmc.cells.build import Cell, build_cell, cell_spec
from nmc.cells.package import AnyModel, as_package
from nmc.child import load_libraries
from nmc.errors import SimulationError

# Mechanism → content hash of those in this session: NEURON takes no name twice, gives none back.
_LOADED: dict[str, str] = {}


def load_cell(model: AnyModel, *, synapses: bool = False, trust: bool = False) -> Cell:
    """Place a model's cell in this process's own NEURON.

    The only call that runs NEURON in the caller's process, for work that the protocols do not
    cover.  What the package's HOC code does, it does here: a crash ends the session.  Mechanisms
    compiled in the working folder are not loaded with it; import neuron first if you want them.

    Parameters
    ----------
    model, trust
        As for `nmc.load_package`.
    synapses : bool
        Place the package's synapses too, all silent.

    Returns
    -------
    nmc.cells.build.Cell
        ``.soma``, ``.section("dend[3]")``, ``.segment("dend[3](0.5)")`` and the template's own
        instance in ``.hoc``.

    Raises
    ------
    TrustError
        The package is neither known nor trusted.
    SimulationError
        NEURON cannot load the mechanisms.
    """
    [package] = mechanisms.rename_clashes([as_package(model, trust=trust)], dict(_LOADED))
    libraries = mechanisms.libraries_of([package], synapses=synapses, loaded=_LOADED)
    with empty_folder(), redirect_stdout(StringIO()):  # HOC code prints a line a synapse
        try:
            for library in libraries:
                load_libraries([str(library)])
                _LOADED.update(mechanisms.mechanisms_in(library))
        except RuntimeError as error:
            raise SimulationError(
                f"{package.name}: its mechanisms cannot be loaded in this session: {error}"
            ) from error
        return build_cell(cell_spec(package), synapses=synapses)


@contextmanager
def empty_folder() -> Iterator[None]:
    """Work in an empty folder: NEURON loads libraries and HOC files that lie where it starts."""
    with tempfile.TemporaryDirectory(prefix="nmc-empty-") as folder, chdir(folder):
        yield
