"""A class without a network: what ``nmc export --for`` packs is all that its chapters need."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from click.testing import CliRunner
from nmc.cli import group
from nmc.data import files

from tools.bookbuild.__main__ import list_reads
from tools.bookbuild.execute import Page, Run, execute
from tools.bookbuild.project import Project

PROJECT = Project(Path(__file__).resolve().parents[2])
COURSE = [one.name for one in PROJECT.chapters if one.name.startswith("book/short-course/")]


def call(*args: str):
    return CliRunner().invoke(group, args, prog_name="nmc", catch_exceptions=False)


def packed(folder: Path) -> set[str]:
    lines = (folder / "SHA256SUMS").read_text("utf-8").splitlines()
    return {line.split("  ", 1)[1] for line in lines}


@pytest.fixture
def without_network(tmp_path, monkeypatch):
    """A machine of its own: an empty cache (but for compiled mechanisms), and no way out."""
    shared = files.cache_folder() / "mechanisms"
    shared.mkdir(parents=True, exist_ok=True)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/mechanisms").symlink_to(shared, target_is_directory=True)
    monkeypatch.setenv("NMC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NMC_OFFLINE", "1")
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")


def export(name: str, source: str, folder: Path) -> Path:
    done = call("export", str(folder), "--for", name, "--source", source, "--quiet")
    assert done.exit_code == 0, done.output
    return folder


def run_alone(chapters: list[str], folder: Path) -> None:
    """Run chapters on a folder and nothing else; whatever they fetch comes from it."""
    for name in chapters:
        page = execute(PROJECT.read(name), str(folder), folder.parent, stop=Event())
        assert all(Path(entry["path"]).is_relative_to(folder.parent) for entry in page.run.data)


def test_a_chapter_runs_on_its_export_alone(tmp_path, without_network):
    name = "book/short-course/read-the-fact-sheets"
    folder = export("read-the-fact-sheets", "sample", tmp_path / "usb")
    run_alone([name], folder)


@pytest.mark.slow
def test_the_short_course_runs_on_its_export_alone(tmp_path, without_network):
    run_alone(COURSE, export("short-course", "sample", tmp_path / "usb"))


@pytest.mark.slow
@pytest.mark.real
def test_the_short_course_runs_on_its_export_of_real_files_alone(tmp_path, mirror, without_network):
    run_alone(COURSE, export("short-course", str(mirror), tmp_path / "usb"))


def test_a_part_holds_what_its_chapters_do_and_the_book_holds_all(tmp_path):
    part = packed(export("short-course", "sample", tmp_path / "part"))
    for name in COURSE:
        one = packed(export(name.removeprefix("book/"), "sample", tmp_path / Path(name).name))
        assert one <= part
        shutil.rmtree(tmp_path / Path(name).name)
    assert part < packed(export("book", "sample", tmp_path / "all"))


def test_an_unknown_chapter_is_an_error_with_the_nearest(tmp_path):
    from nmc.errors import UnknownNameError

    with pytest.raises(UnknownNameError, match="short-course"):
        call("export", str(tmp_path / "x"), "--for", "short-curse")
    assert not (tmp_path / "x").exists()


def test_what_a_run_reads_is_listed_and_what_other_data_read_stays(tmp_path):
    listed = tmp_path / "helpers/nmc/cli/chapters.csv"
    listed.parent.mkdir(parents=True)
    listed.write_text("chapter,key\nbook/one,sheet/layers\nbook/one,page/layer\nbook/gone,sheet\n")
    toc = "format: jb-book\nroot: book/index\nchapters:\n- file: book/one\n"
    (tmp_path / "_toc.yml").write_text(toc)
    chapter = PROJECT.read(COURSE[0])
    read = [{"key": key} for key in ("sheet/circuit", "page/layer/L23", "recomputed/models", None)]
    one = replace(chapter, name="book/one")
    pages = [Page(one, chapter.notebook(), Run("book/one", "", data=read))]
    assert list_reads(Project(tmp_path), pages) == 1, "the family holds its page"
    rows = listed.read_text().splitlines()[1:]
    assert rows == ["book/one,page/layer", "book/one,sheet/circuit", "book/one,sheet/layers"]
    assert list_reads(Project(tmp_path), pages) == 0
