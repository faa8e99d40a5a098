"""Checks of Part II, fact sheets."""

from __future__ import annotations
