"""JSON text and numbers the way the portal's download files write them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np


def write(path: Path, content: object) -> Path:
    """Write ``content`` with four spaces of indent and no space after a colon."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=4, separators=(",", ":")) + "\n", encoding="utf-8")
    return path


def rounded(value: float, digits: int = 2) -> int | float:
    """Round to significant digits as the sheets do; whole numbers become ``int``."""
    if not np.isfinite(value) or value == 0:
        return 0
    number = float(f"{value:.{digits}g}")
    return int(number) if number.is_integer() else number


def percent(fraction: float) -> int | float:
    """A fraction in percent, rounded before it is scaled: ``0.0056`` gives 0.5599999999999999."""
    number = float(f"{fraction:.2g}") * 100
    return int(number) if number.is_integer() else number
