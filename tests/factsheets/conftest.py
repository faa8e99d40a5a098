"""Trees for the readers: the real one, and small ones written on the spot."""

from __future__ import annotations

import json

import pytest
from nmc.data.registry import item
from pathway_rows import ANATOMY, PHYSIOLOGY


@pytest.fixture
def real_source(monkeypatch, mirror):
    """Read from the real portal files; returns their folder."""
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    return mirror


@pytest.fixture
def small_tree(tmp_path, monkeypatch):
    """A tree to put single files into: ``small_tree(path below the base, text or object)``."""
    (tmp_path / "nmc-tree.json").write_text(json.dumps({"origin": "test", "invented": True}))
    monkeypatch.setenv("NMC_SOURCE", str(tmp_path))

    def put(path: str, content) -> None:
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content)
        target.write_text(text, encoding="utf-8")

    return put


NOT_MEASURED = "Synaptic conductance not measured experimentally"


@pytest.fixture
def two_pathways(small_tree):
    """Two pathways whose files a test may spoil: returns ``write(anatomy, physiology)``."""
    anatomy = {"L5_TTPC1:L5_MC": dict(ANATOMY), "L1_SAC:L1_LAC": dict(ANATOMY)}
    physiology = {
        "L5_TTPC1:L5_MC": dict(PHYSIOLOGY),
        "L1_SAC:L1_LAC": {**PHYSIOLOGY, "space_clamp_correction_factor": NOT_MEASURED},
    }

    def write(spoil=lambda anatomy, physiology: None) -> None:
        spoil(anatomy, physiology)
        small_tree(item("sheet/pathways_anatomy").path, anatomy)
        small_tree(item("sheet/pathways_physiology").path, physiology)

    return write
