"""The explorer: every layer, type, model and pathway to be looked up in static pages.

A page a kind, data in small script shards, state in the address: it works from a folder on
a disk, without a server and without a network.
"""

from __future__ import annotations

from nmc.factsheets.explorer.write import build_explorer

__all__ = ["build_explorer"]
