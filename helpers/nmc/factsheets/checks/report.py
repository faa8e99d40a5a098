"""Where checks write down what they compared and what did not agree."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field

import pandas as pd


@dataclass(frozen=True)
class Finding:
    """One disagreement in the data.

    Attributes
    ----------
    check : str
        Name of the check that found it.
    file : str
        Catalogue key of the file that is (or seems) wrong.
    item : str
        What in the file.
    found, expected : object
        What stands there, and what the rest of the data says.
    remark : str
        A sentence for the reader.
    """

    check: str
    file: str
    item: str
    found: object
    expected: object
    remark: str


@dataclass
class Report:
    """Findings, and how many values each check compared."""

    findings: list[Finding] = field(default_factory=list)
    compared: Counter = field(default_factory=Counter)

    def compare(self, agree: bool, *finding) -> None:
        """Count one comparison, and keep the finding (the fields in order) if it failed."""
        entry = Finding(*[_plain(value) for value in finding])
        self.compared[entry.check] += 1
        if not agree:
            self.findings.append(entry)

    def table(self) -> pd.DataFrame:
        """Findings as a table; ``attrs["compared"]`` tells how much each check compared."""
        columns = list(Finding.__annotations__)
        table = pd.DataFrame([asdict(entry) for entry in self.findings], columns=columns)
        table.attrs["compared"] = dict(self.compared)
        return table


def _plain(value: object) -> object:
    """Whole numbers without a decimal point: a count is read as a count."""
    if hasattr(value, "item"):
        value = value.item()
    return int(value) if isinstance(value, float) and value.is_integer() else value
