"""Turn a LEMS file into NEURON's files: ``python -m nmc.cells.neuroml._export FOLDER FILE``.

A process of its own, because pyNeuroML configures logging and changes folders; what it and
jNeuroML say goes to the log that the parent opened.
"""

from __future__ import annotations

import sys


def main(folder: str, lems: str) -> int:
    """Let pyNeuroML (jNeuroML) write the Python script, HOC and MOD files of a simulation."""
    from pyneuroml import pynml

    done = pynml.run_lems_with_jneuroml_neuron(
        lems,
        nogui=True,
        exec_in_dir=folder,
        only_generate_scripts=True,
        compile_mods=False,
        exit_on_fail=False,
        verbose=True,
    )
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
