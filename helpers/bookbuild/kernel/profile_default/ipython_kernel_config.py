"""How figures leave a chapter's kernel: as vectors and as pixels; the store keeps one of them."""

c = get_config()  # noqa: F821 - IPython gives it
c.InlineBackend.figure_formats = {"svg", "retina"}
c.InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "metadata": {"Date": None}}
