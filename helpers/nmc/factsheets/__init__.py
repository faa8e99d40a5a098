"""Part II: the fact sheets as tidy tables, checked, drawn, and laid out to be looked up.

Keys (layer, m-type, model, …) are columns, never an index; units stand in column names;
names are the canonical ones of `nmc.names`; what a sheet does not print is missing.
"""
