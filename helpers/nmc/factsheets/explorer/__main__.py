"""``python -m nmc.factsheets.explorer FOLDER`` writes the explorer of the source in use."""

from __future__ import annotations

import sys

from nmc.errors import NMCError
from nmc.factsheets.explorer import build_explorer

if len(sys.argv) != 2:
    sys.exit("usage: python -m nmc.factsheets.explorer FOLDER")
try:
    build_explorer(sys.argv[1])
except NMCError as error:
    sys.exit(f"error: {error}")
