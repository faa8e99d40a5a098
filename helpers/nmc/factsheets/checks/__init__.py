"""Every disagreement between the sheets, listed and never repaired."""

from __future__ import annotations

import pandas as pd


def check_factsheets() -> pd.DataFrame:
    """List every inconsistency in the fact sheets of the source.

    Compared are sums with their parts, one sheet with another, the downloadable JSON with
    the pages, and the ion channels of the pages with those of the packages at hand.  What a
    source does not hold is not compared.

    Returns
    -------
    pandas.DataFrame
        One row a disagreement: ``check``, ``file`` (catalogue key), ``item``, ``found``,
        ``expected`` (what the rest of the data says), ``remark``.  The table's
        ``attrs["compared"]`` says how many comparisons each check made.

    Raises
    ------
    FormatError
        When a sheet or a package cannot be read at all.

    Notes
    -----
    Nothing is mended: the readers return what the files say.
    """
    from tqdm import tqdm

    from nmc.factsheets.checks import circuit, layers, menus, models, pathways
    from nmc.factsheets.checks.report import Report

    report = Report()
    rooms = (circuit, layers, menus, pathways, models)
    for room in tqdm(rooms, desc="checking fact sheets", delay=2, leave=False):
        room.check(report)
    return report.table()
