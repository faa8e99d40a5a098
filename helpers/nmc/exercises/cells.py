"""Checks of Part III, cells."""

from __future__ import annotations
