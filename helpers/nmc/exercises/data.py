"""Checks of Part I, the data."""

from __future__ import annotations
