"""How the book is made: chapters run once per content, then Jupyter Book renders `book/` itself.

``python -m tools.bookbuild book`` does it all.  The way is

    chapters (MyST)  ->  stale ones run under nbmake  ->  jupyter-cache
                                                               |
                      HTML  <-  Jupyter Book, bookbuild.sphinx_ext

A tool for whoever builds the book; nothing in the package ``nmc`` knows of it.
"""

import click


class BookError(click.ClickException):
    """The book cannot be built as it stands; the message names the file and the way out."""
