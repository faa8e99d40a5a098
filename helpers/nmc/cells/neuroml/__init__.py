"""The NeuroML2 twins of the packages: cells, channels, and their step-current nets."""
