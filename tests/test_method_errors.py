"""What a method of an object that a public call returns is given: a result, or one sentence.

The classes are found by the public calls' annotations, so that a new method is swept, too.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, get_args

import nmc
import numpy as np
import pandas as pd
import pytest
from nmc.cells.build import Cell
from nmc.cells.by_hand import Command
from nmc.cells.neuroml.elements import NeuroMLChannel
from nmc.circuit.network import CircuitRun
from nmc.circuit.plan import CircuitPlan
from nmc.errors import FigureError, NMCError
from nmc.viewer3d import View3D

M = "L5_TTPC1_cADpyr232_1"
#: What is nothing that a method can work with, or that it can by chance.
GIVEN = {
    "none": None, "three": 3, "minus": -1, "nan": math.nan, "huge": 10**5000, "text": "x",
    "empty": "", "nul": "a\0b", "list": [], "texts": ["x"], "frame": pd.DataFrame(),
    "table": pd.DataFrame({"a": [1]}), "flat": np.ones(3), "cube": np.ones((2, 2, 2)),
    "bytes": b"x", "object": object(),
}  # fmt: skip


def own_classes(annotation: object, scope: dict) -> Iterator[type]:
    """Classes of the package that an annotation names, inside lists and mappings, too."""
    try:
        found = eval(annotation, scope) if isinstance(annotation, str) else annotation
    except NameError:  # of a library that is loaded on use
        return
    for part in get_args(found):
        yield from own_classes(part, scope)
    if inspect.isclass(found) and found.__module__.startswith("nmc"):
        yield found


def find_classes() -> list[type]:
    """Classes that are public, that a public call returns, or that such an object holds."""
    found: dict[type, None] = {}
    left: list[type] = []
    for call in (getattr(nmc, name) for name in nmc.__all__):
        if inspect.isclass(call):
            left.append(call)
        else:
            scope = inspect.unwrap(call).__globals__
            left += own_classes(call.__annotations__.get("return"), scope)
    while left:
        kind = left.pop()
        if kind in found or issubclass(kind, Exception):
            continue
        found[kind] = None
        for base in kind.__mro__:
            scope = vars(sys.modules[base.__module__])
            annotated = dict(vars(base).get("__annotations__", {}))
            for name, one in vars(base).items():
                inner = getattr(one, "fget", getattr(one, "func", one))
                annotated[name] = getattr(inner, "__annotations__", {}).get("return")
            for name, annotation in annotated.items():
                if base.__module__.startswith("nmc") and not name.startswith("_"):
                    left += own_classes(annotation, scope)
    return sorted(found, key=lambda kind: kind.__name__)


METHODS = [
    (kind, name)
    for kind in find_classes()
    for name, method in inspect.getmembers(kind, inspect.isfunction)
    if not name.startswith("_")
    and inspect.unwrap(method).__module__.startswith("nmc")
    and len(inspect.signature(method).parameters) > 1
]


@pytest.fixture(scope="module")
def objects() -> dict[type, Any]:
    """Return one object of each class."""
    rng = np.random.default_rng(0)
    channels = nmc.load_neuroml(M, progress=False)
    plan = CircuitPlan(pd.DataFrame({"model": ["a"]}), *[pd.DataFrame()] * 2, {}, {}, {})
    spikes = pd.DataFrame({"cell": [0], "t_ms": [5.0]})

    class Section:
        """Stands for NEURON's, which would end the process for some of what is given."""

        def name(self):
            return "cell.soma[0]"

        def __call__(self, x):
            return SimpleNamespace(x=x)

    section = Section()
    some = [
        nmc.make_connectome(
            rng.random((12, 12)) < 0.3, list("aaabbbcccddd"), rng.random((12, 3)) * 100
        ),
        nmc.load_package(M), channels, channels.channel(channels.channels[0]),
        Command("ls", 0, "one\ntwo"), View3D("<p>"),
        CircuitRun(plan, spikes, spikes, {"tstop_ms": 10}),
        Cell(SimpleNamespace(soma=[section], all=[section]), "M", 1, {}),
        nmc.Step(5, 5, 0.1), nmc.Ramp(5, 5, 0, 1), nmc.Sine(5, 5, 1, 10), nmc.Chirp(5, 5, 1, 10),
        nmc.OUCurrent(5, 5, 0, 1), nmc.Waveform([1, 2], [0, 1]),
    ]  # fmt: skip
    return {type(one): one for one in some}


#: What fits a parameter, so that another one can be tried.
FITS = {
    "keep": [0, 1], "adjacency": np.eye(12), "name": "b", "section_list": "somatic",
    "parameter": "gNaTs2_tbar", "distance_um": 10.0, "v_mV": -65.0, "path": "view.html",
}  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), METHODS, ids=lambda one: getattr(one, "__name__", one))
def test_whatever_a_method_is_given_the_answer_is_a_result_or_one_sentence(
    kind, name, objects, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    method = getattr(objects[kind], name)
    parameters = inspect.signature(method).parameters.values()
    for one in parameters:
        needed = {p.name: FITS.get(p.name) for p in parameters if p.default is p.empty}
        for value in GIVEN.values():
            try:
                method(**{**needed, one.name: value})
            except NMCError as error:
                assert 15 < len(str(error)) < 1000 and "\n" not in str(error)


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda o: o[nmc.Package].check_section("dend[x]"), "there is no section 'dend[x]'"),
        (lambda o: o[nmc.Package].check_section("dend[-1]"), "there is no section 'dend[-1]'"),
        (lambda o: o[nmc.Package].text("none.hoc"), "the package has no file 'none.hoc'."),
        (lambda o: o[nmc.Package].step_nA(10**5000), "no step a number of thousands of digits"),
        (lambda o: o[nmc.Connectome].subset(layer=[[1]]), "There is no layer"),
        (lambda o: o[Cell].distance(None), "A segment is what Cell.segment returns, not None."),
        (lambda o: o[Cell].section(3), "Cell.section: name takes str, not int."),
        (lambda o: o[nmc.Step].current_nA("x"), "Current.current_nA: t_ms takes ndarray, not str."),
        (lambda o: o[NeuroMLChannel].kinetics([-65, math.nan]), "value 2: nan is not a finite"),
        (lambda o: o[NeuroMLChannel].kinetics([1, 2, 3], [1, 2]), "hold 3 and 2 numbers."),
        (lambda o: o[View3D].save("a\0b"), "The place of a file is a path, not 'a\\x00b'."),
    ],
)
def test_the_sentence_of_a_method_names_what_is_wrong(objects, ask, told):
    with pytest.raises(NMCError) as found:
        ask(objects)
    assert told in str(found.value)


def test_a_page_that_cannot_be_written_is_told(objects, tmp_path):
    page = objects[View3D].save(tmp_path / "view.html")
    assert page.read_text("utf-8").endswith("<p></body>") and [*tmp_path.iterdir()] == [page]
    for place in (tmp_path, page / "below.html", tmp_path / ("long" * 100)):
        with pytest.raises(FigureError, match="cannot be written"):
            objects[View3D].save(place)
    assert [*tmp_path.iterdir()] == [page]


@pytest.mark.parametrize("matrix", [np.full((12, 12), np.nan), np.full((12, 12), "0"), np.eye(11)])
def test_what_is_no_matrix_of_numbers_is_no_connection_between_all(objects, matrix):
    with pytest.raises(NMCError, match="no number|shape"):
        objects[nmc.Connectome].with_adjacency(matrix, "wrong")


def test_no_is_no_cylinder(objects):
    with pytest.raises(NMCError, match="horizontal is True, False or None, not 'no'"):
        objects[nmc.Connectome].subset(within_um=10, horizontal="no")
