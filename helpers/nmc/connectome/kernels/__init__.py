"""Compiled inner loops of the connectome measures.

A kernel knows only arrays: a graph is ``(indptr, indices)``, the rows of its adjacency in
CSR form (row *i* holds the postsynaptic neurons of *i*, ascending, each once, never *i*
itself). What the arrays mean, and every check of them, belongs to the modules above.
"""
