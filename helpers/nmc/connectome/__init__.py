"""Part IV: the connectome and its topology."""
