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
    style.finish(ax, "first")
    style.finish(ax.figure, "second")
    assert [t.get_text() for t in ax.figure.texts] == ["second"]
    style.finish(ax, "")
    assert not ax.figure.texts
    style.finish(ax, "a long note; " * 20)
    box = ax.figure.texts[0].get_window_extent()
    assert box.width <= ax.figure.bbox.width and box.height > 20
    plt.close(ax.figure)


@pytest.mark.parametrize(
    "ends, shown",
    [
        ((2, 60), ["2", "5", "10", "20", "50"]),
        ((0.0001, 2000), ["0.0001", "0.001", "0.01", "0.1", "1", "10", "100", "1,000"]),
    ],
)
@pytest.mark.parametrize("where", ["axis", "colour bar"])
def test_a_logarithmic_axis_has_plain_numbers(ends, shown, where):
    with style.context():
        fig, ax = plt.subplots()
        if where == "axis":
            ax.set(yscale="log", ylim=ends)
        else:
            picture = ax.imshow([ends], norm=mpl.colors.LogNorm(*ends))
            ax = fig.colorbar(picture).ax
        style.finish(fig, "")
        fig.canvas.draw()
    low, high = ends
    ticks = zip(ax.get_yticks(), ax.get_yticklabels(), strict=True)
    assert [text.get_text() for at, text in ticks if low <= at <= high] == shown
    assert not any(text.get_text() for text in ax.get_yticklabels(minor=True))
    plt.close(fig)


def test_every_layer_has_a_colour_of_its_own():
    assert set(style.LAYER_COLOURS) == set(names.LAYERS)
    assert len(set(style.LAYER_COLOURS.values())) == len(names.LAYERS)


@pytest.mark.parametrize(
    "pair", [(style.EXCITATORY, style.INHIBITORY), (style.OBSERVED, style.NULL)]
)
def test_opposed_colours_differ_beyond_hue(pair):
    assert abs(luminance(pair[0]) - luminance(pair[1])) > 0.02


@pytest.mark.parametrize("values, whole", [([1, 2, 3], True), ([1, 2.5, 3], False)])
@pytest.mark.parametrize("how", ["bar", "plot"])
def test_an_axis_of_counts_has_whole_numbers(how, values, whole):
    with style.context():
        fig, ax = plt.subplots(figsize=(3, 3))
        getattr(ax, how)(range(3), values)
        ax.set_ylim(0, 3.2)
        style.finish(fig, "")
        fig.canvas.draw()
    assert (ax.get_yticks() % 1 == 0).all() == whole
    plt.close(fig)


def test_thousands_have_a_comma_and_small_numbers_stay():
    ax = style.new_axes()
    ax.plot([0, 3000], [0.0, 0.25])
    style.finish(ax, "")
    ax.figure.canvas.draw()
    along, up = ([t.get_text() for t in axis.get_ticklabels()] for axis in (ax.xaxis, ax.yaxis))
    assert {"1,000", "2,000"} <= set(along) and "0.05" in up
    assert [style.plain(x, 2) for x in (8e-05, -262144, 0.5)] == ["0.00008", "−260,000", "0.5"]
    plt.close(ax.figure)
