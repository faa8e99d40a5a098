"""Part II: the fact sheets as tidy tables."""
