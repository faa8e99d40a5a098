"""Checks of Part V, circuits."""

from __future__ import annotations
