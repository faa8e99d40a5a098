"""Checks of Part IV, the connectome."""

from __future__ import annotations
