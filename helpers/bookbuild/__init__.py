"""How the book is made from its sources: executed once per content, then rendered.

``python -m bookbuild book`` does it all.  The way is

    chapters (MyST)  ->  stale ones run under nbmake  ->  store of executed notebooks
                                                            |
                         HTML  <-  Jupyter Book  <-  stage <+

A tool for whoever builds the book; nothing in the package ``nmc`` knows of it.
"""
