"""Make the sample and put it into the package: ``python -m tools.sample``."""

import tempfile
from pathlib import Path

from tools import sample

TARGET = Path(__file__).resolve().parents[2] / "helpers" / "nmc" / "data" / "sample"

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        path = sample.pack(sample.write_tree(folder), TARGET)
    print(f"{path}: {path.stat().st_size:,} bytes")
