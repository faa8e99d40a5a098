"""NeuroML2 twins of the sample's packages: the same invented cells in the second format."""

from tools.sample.neuroml.archive import NETS, neuroml_members, write_neuroml

__all__ = ["NETS", "neuroml_members", "write_neuroml"]
