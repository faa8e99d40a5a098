"""The figure style leaves no trace, and a note is written once."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from nmc import names, style


def luminance(colour):
    red, green, blue = mpl.colors.to_rgb(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_context_leaves_no_trace():
    before = dict(mpl.rcParams)
    with style.context():
        assert mpl.rcParams["axes.titlelocation"] == "left"
    assert dict(mpl.rcParams) == before


def test_new_axes_keeps_a_given_one():
    ax = style.new_axes()
    assert style.new_axes(ax) is ax
    plt.close(ax.figure)


def test_note_replaces_itself_and_empty_removes_it():
    ax = style.new_axes()
    style.add_note(ax, "first")
    style.add_note(ax.figure, "second")
    assert [t.get_text() for t in ax.figure.texts] == ["second"]
    style.add_note(ax, "")
    assert not ax.figure.texts
    plt.close(ax.figure)


def test_every_layer_has_a_colour_of_its_own():
    assert set(style.LAYER_COLOURS) == set(names.LAYERS)
    assert len(set(style.LAYER_COLOURS.values())) == len(names.LAYERS)


@pytest.mark.parametrize(
    "pair", [(style.EXCITATORY, style.INHIBITORY), (style.OBSERVED, style.NULL)]
)
def test_opposed_colours_differ_beyond_hue(pair):
    assert abs(luminance(pair[0]) - luminance(pair[1])) > 0.02
