"""The NeuroML2 versions of the packages: cells, channels, and their step-current nets."""
