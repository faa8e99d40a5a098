"""The terms: every clause, once accepted for each cache, and the page that shows them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from nmc.data import provenance
from nmc.errors import TermsError, UnknownNameError

PAGE = Path(__file__).resolve().parents[2] / "book" / "data-terms.md"

#: What the portal's terms of use hold, and words that must not be missing from our telling.
CLAUSES = {
    "scope": ("databases and models", "agrees"),
    "grant": ("world-wide", "royalties", "non-exclusive", "cannot be sublicensed", "derivative"),
    "non-commercial": ("sale", "commercial advantage", "payment", "publication"),
    "ownership": ("sole owners", "derivative work", "reserved"),
    "no-added-restrictions": ("additional or different terms", "restrict"),
    "re-posting": ("social media", "third-party website", "own"),
    "citation": (
        "10.1016/j.cell.2015.09.029", "10.3389/fncir.2015.00044", "10.3389/fncom.2015.00120",
        "10.1038/nn.4576", "10.1093/cercor/bhx150",
    ),
    "logos": ("permission", "legal"),
    "privacy": ("Swiss data protection", "cookies", "corrected"),
    "third-parties": ("endorse", "own terms"),
    "as-is": ("without warranty", "accuracy", "fitness", "own risk"),
    "liability": ("damages", "indirect", "lost profits"),
    "swiss-law": ("Switzerland", "Lausanne"),
    "termination": ("without notice", "break the terms", "obligations"),
    "changes": ("change the terms", "going on using"),
    "packages": ("BY-NC-SA", "ModelDB"),
}  # fmt: skip


def test_every_clause_is_told():
    assert [clause.id for clause in provenance.clauses()] == list(CLAUSES)
    for clause in provenance.clauses():
        for words in CLAUSES[clause.id]:
            assert words in clause.text, (clause.id, words)


def test_the_page_tells_every_clause():
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    for clause in provenance.clauses():
        assert f"### {clause.title} {clause.text}" in page
    for key in provenance.citations_for([]):
        assert provenance.apa(key) in page


@pytest.mark.real
def test_the_terms_are_not_the_portals_words(mirror):
    """Ours are our own words: no run of eight words is the portal's."""
    from bs4 import BeautifulSoup

    page = BeautifulSoup((mirror / "downloads.html").read_bytes(), "lxml").get_text(" ")
    theirs = _runs(page, 8)
    assert not _runs(provenance.terms_text(), 8) & theirs


def _runs(text: str, length: int) -> set[tuple[str, ...]]:
    words = ["".join(c for c in word.lower() if c.isalnum()) for word in text.split()]
    words = [word for word in words if word]
    return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}


def test_terms_are_required_then_remembered(cache, monkeypatch):
    with pytest.raises(TermsError, match="nmc terms --accept"):
        provenance.require_terms("portal")
    with pytest.raises(TermsError):
        provenance.require_terms("portal", accept_terms=False)
    provenance.require_terms("portal", accept_terms=True)
    provenance.require_terms("portal")
    record = json.loads((cache / "terms-accepted.json").read_text())
    assert record["sha256"] == provenance.terms_sha256() and record["date"].startswith("20")
    (cache / "terms-accepted.json").unlink()
    monkeypatch.setenv("NMC_ACCEPT_TERMS", "1")
    with pytest.raises(TermsError):
        provenance.require_terms("portal", accept_terms=False)
    provenance.require_terms("portal")


def test_changed_terms_are_accepted_anew(cache, monkeypatch):
    provenance.record_acceptance()
    monkeypatch.setattr(provenance, "terms_sha256", lambda: "another text's")
    with pytest.raises(TermsError):
        provenance.require_terms("portal")


def test_what_to_cite_is_told_once(cache, caplog):
    provenance.tell_terms("portal", ("markram2015", "gal2017"))
    assert "10.1016/j.cell.2015.09.029" in caplog.text and "non-commercial" in caplog.text
    caplog.clear()
    provenance.tell_terms("portal", ("markram2015", "gal2017"))
    assert caplog.text == ""


def test_citations():
    three = ("markram2015", "ramaswamy2015", "reimann2015")
    assert provenance.citations_for(["sheet/layers"]) == three
    both = provenance.citations_for(["sheet/layers", "connectome/average/mc2"])
    assert both == (*three, "gal2017", "reimann2017morphological")
    entry = provenance.bibtex("markram2015")
    assert entry.startswith("@article{markram2015,") and entry.count("{") == entry.count("}")
    assert provenance.apa("gal2017").endswith("https://doi.org/10.1038/nn.4576")
    with pytest.raises(UnknownNameError, match="markram2015"):
        provenance.bibtex("markram2016")


def test_the_citations_agree_with_the_books_bibliography():
    bibliography = (PAGE.parent / "references.bib").read_text(encoding="utf-8")
    for key in provenance.citations_for([]):
        start = bibliography.index(f"{{{key},")
        entry = bibliography[start : bibliography.index("\n}", start)]
        own = provenance.bibtex(key)
        doi = next(line for line in own.splitlines() if "doi =" in line)
        assert doi.split("{")[1].rstrip("},") in entry
