"""What of a chapter decides its outputs, and how outputs come back to edited prose."""

from __future__ import annotations

import struct
import zlib
from base64 import b64decode, b64encode
from io import BytesIO

import nbformat
import pytest
from audits import differences
from gates import shows_what_it_uses
from PIL import Image

from tools.bookbuild import BookError
from tools.bookbuild.execute import HEAVY_SVG_BYTES, tidy
from tools.bookbuild.pages import problems
from tools.bookbuild.project import Chapter, Project, code_tree_hash, source_identity

HEAD = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

"""
BODY = """# Title

Words.

```{code-cell} ipython3
:tags: [hide-input]
1 + 1
```

## Next

```{code-cell} ipython3
:tags: [remove-cell]
assert True
```
"""


def chapter(text: str) -> Chapter:
    return Chapter("book/x", HEAD + text)


@pytest.mark.parametrize(
    "old, new, same",
    [
        ("Words.", "Other words.", True),
        ("[hide-input]", "[hide-output]", True),
        ("[hide-input]", "[raises-exception]", False),
        ("1 + 1", "1 + 2", False),
    ],
)
def test_only_what_runs_is_hashed(old, new, same):
    before, after = chapter(BODY), chapter(BODY.replace(old, new))
    assert (before.code_hash == after.code_hash) is same


def test_outputs_return_to_their_cells_after_the_prose_changed():
    executed = chapter(BODY).notebook()
    for number, cell in enumerate(c for c in executed.cells if c.cell_type == "code"):
        cell.outputs = [nbformat.v4.new_output("stream", text=f"out {number}")]
    edited = chapter(BODY.replace("Words.", "Words.\n\n## A new section\n\nMore."))
    notebook = edited.with_outputs(executed)
    texts = [c.outputs[0].text for c in notebook.cells if c.cell_type == "code"]
    assert texts == ["out 0", "out 1"]


def test_a_name_that_only_a_hidden_cell_defines_is_found():
    hidden = BODY.replace("assert True", "n, half = 2, lambda x: x / 2\nassert n")
    using = (
        hidden
        + """
```{code-cell} ipython3
from math import pi
doubled = [2 * x for x in range(n)]
```
```{code-cell} ipython3
n = len(doubled)
n, pi, half
```
"""
    )
    assert shows_what_it_uses(chapter(hidden)) == []
    assert shows_what_it_uses(chapter(using)) == [
        "Code cell 3 uses 'n', which only a hidden cell defines.",
        "Code cell 4 uses 'half', which only a hidden cell defines.",
    ]


#: A red picture of 8 by 4 pixels.
PNG = b64encode(
    b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (
            (b"IHDR", struct.pack(">IIBBBBB", 8, 4, 8, 2, 0, 0, 0)),
            (b"IDAT", zlib.compress((b"\0" + b"\xff\0\0" * 8) * 4)),
            (b"IEND", b""),
        )
    )
).decode()  # fmt: skip


def figure(svg: str) -> nbformat.NotebookNode:
    output = nbformat.v4.new_output(
        "display_data", data={"image/svg+xml": svg, "image/png": PNG, "text/plain": "x"}
    )
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=[output])])


def test_a_light_figure_stays_a_vector_and_a_heavy_one_becomes_pixels():
    light, heavy = figure("<svg/>"), figure("<svg>" + "x" * HEAVY_SVG_BYTES + "</svg>")
    tidy(light)
    tidy(heavy)
    assert "image/png" not in light.cells[0].outputs[0].data
    assert "image/svg+xml" not in heavy.cells[0].outputs[0].data
    kept = Image.open(BytesIO(b64decode(heavy.cells[0].outputs[0].data["image/png"])))
    assert (kept.size, kept.mode) == ((8, 4), "P"), "as large, with a palette of colours"
    assert kept.convert("RGB").getpixel((3, 2)) == (255, 0, 0)


def test_a_figure_has_a_small_picture_of_its_own_shape_on_white():
    """8 by 4 pixels fill 480 by 240 of 480 by 300: white above and below."""
    notebook = figure("<svg/>")
    tidy(notebook)
    small = Image.open(BytesIO(b64decode(notebook.cells[0].outputs[0].metadata["thumbnail"])))
    assert small.size == (480, 300)
    assert min(small.getpixel((240, 10))) > 240 and min(small.getpixel((240, 290))) > 240
    red, green, blue = small.getpixel((240, 150))
    assert red > 220 and max(green, blue) < 40


def test_a_3d_view_stands_in_the_gallery_with_its_still_picture():
    notebook = figure("<svg/>")
    still = f'<div><img alt="x" src="data:image/png;base64,{PNG}"></div>'
    notebook.cells[0].outputs[0].data = {"text/html": still}
    tidy(notebook)
    small = b64decode(notebook.cells[0].outputs[0].metadata["thumbnail"])
    assert Image.open(BytesIO(small)).size == (480, 300)


def test_a_progress_bar_leaves_no_trace_on_the_page():
    notebook = figure("<svg/>")
    bar = {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "writing: 0%|   | 0/8"}
    notebook.cells[0].outputs.insert(0, nbformat.v4.new_output("display_data", data=bar))
    tidy(notebook)
    assert [list(output.data) for output in notebook.cells[0].outputs] == [
        ["image/svg+xml", "text/plain"]
    ]


def test_a_tree_hash_sees_names_and_contents_but_not_what_python_generates(tmp_path):
    (tmp_path / "a.py").write_text("1")
    first = code_tree_hash(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/a.pyc").write_text("x")
    assert code_tree_hash(tmp_path) == first
    (tmp_path / "cli").mkdir()
    (tmp_path / "cli/list.py").write_text("no chapter runs it")
    (tmp_path / "a.py").write_text('"""Docstring."""\n1  # comment')
    with_words = code_tree_hash(tmp_path)
    (tmp_path / "a.py").write_text('"""Another."""\n\n1')
    assert code_tree_hash(tmp_path) == with_words
    (tmp_path / "a.py").write_text("2")
    second = code_tree_hash(tmp_path)
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert len({first, second, code_tree_hash(tmp_path)}) == 3


def test_a_folder_is_the_same_source_from_wherever_it_is_named(tmp_path, monkeypatch):
    (tmp_path / "tree").mkdir()
    monkeypatch.chdir(tmp_path)
    assert source_identity("tree,sample") == source_identity(f"{tmp_path}/tree,sample")
    assert source_identity("sample") == "sample"


def test_a_page_that_does_not_exist_is_named(toy):
    toy.write("_toc.yml", "format: jb-book\nroot: book/index\nchapters:\n- file: book/three\n")
    with pytest.raises(BookError, match="book/three.md"):
        _ = Project(toy.root).chapters


def run_of(*texts: str) -> nbformat.NotebookNode:
    cells = [
        nbformat.v4.new_code_cell("x", outputs=[nbformat.v4.new_output("stream", text=text)])
        for text in texts
    ]
    return nbformat.v4.new_notebook(cells=cells)


def test_outputs_that_differ_are_named_and_addresses_do_not_count():
    first, same = run_of("1", "<Axes at 0x7f0012ab>"), run_of("1", "<Axes at 0x7faa9999>")
    assert differences(first, same) == []
    assert differences(first, run_of("1", "<Axes>")) == [2]


def test_a_picture_without_words_is_found_and_a_hidden_one_may_stay():
    bare = figure("<svg/>")
    assert problems(bare) == [
        (1, "shows a picture without caption text."),
        (1, "shows a picture without alt text."),
    ]
    bare.cells[0].metadata["tags"] = ["remove-cell"]
    assert problems(bare) == []
    described = figure("<svg/>")
    described.cells[0].metadata["mystnb"] = {"figure": {"caption": "c"}, "image": {"alt": "a"}}
    assert problems(described) == []


def test_a_solution_that_its_own_check_refuses_is_found():
    from nmc.exercises import Verdict

    def shown(correct: bool | None) -> nbformat.NotebookNode:
        said = Verdict("ex-one", correct, "so it is.")._repr_markdown_()
        output = nbformat.v4.new_output("execute_result", data={"text/markdown": said})
        return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=[output])])

    assert problems(shown(True)) == []
    for refused in (False, None):
        said = [(1, "is a solution that its own check refuses: so it is.")]
        assert problems(shown(refused)) == said
