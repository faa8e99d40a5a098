"""Porting old MOD idioms: each rule with its reason; the text is otherwise left as it stands.

The portal's mechanisms were written for NEURON 7.3.  NEURON 9 compiles mechanisms as C++
against its own declarations, and a few old forms no longer compile.  Their rules leave
the meaning unchanged, and the result compiles under NEURON 8.2 as well.  One rule mends a mistake.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """One idiom: what is looked for, what replaces it, and why."""

    name: str
    pattern: re.Pattern
    replacement: str
    reason: str


RULES = (
    Rule(
        "redeclared random functions",
        re.compile(
            r"^[ \t]*(?:extern[ \t]+)?(?:double[ \t]+nrn_random_pick|void[ \t]*\*[ \t]*"
            r"nrn_random_arg)[ \t]*\([^)]*\)[ \t]*;[ \t]*\n",
            re.M,
        ),
        "",
        "NEURON's own header declares nrn_random_pick and nrn_random_arg; NEURON 9 refuses a "
        "second declaration with other types.",
    ),
    Rule(
        "argument of scop_random",
        re.compile(r"\bscop_random\s*\(\s*1\s*\)"),
        "scop_random()",
        "scop_random takes no argument; NEURON 9 checks it, older versions ignored it.",
    ),
    Rule(
        "value that was never set",
        re.compile(
            r"\burand([ \t]*=[ \t]*scop_random[ \t]*\([ \t]*\)"
            r"\s*VERBATIM\s*\}\s*ENDVERBATIM\s*urand[ \t]*=[ \t]*value\b)"
        ),
        r"value\1",
        "Without a generator of its own the GABA synapse drew a number and then returned another "
        "variable, which nothing had set: it released next to nothing. The AMPA synapse, written "
        "alike, returns what it drew.",
    ),
)


def port(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the ported MOD text and the names of the rules that changed it."""
    applied = []
    for rule in RULES:
        text, count = rule.pattern.subn(rule.replacement, text)
        if count:
            applied.append(rule.name)
    return text, tuple(applied)


def rename(text: str, old: str, new: str) -> str:
    """Give the mechanism that a MOD text defines another name."""
    pattern = rf"\b((?:SUFFIX|POINT_PROCESS|ARTIFICIAL_CELL)\s+){re.escape(old)}\b"
    return text if old == new else re.sub(pattern, rf"\g<1>{new}", text)


_RATES = re.compile(r"PROCEDURE\s+(\w*rates)\s*\(\s*(?:v\s*(?:\(mV\))?\s*)?\)\s*\{")
_LOCAL = re.compile(r"\s*LOCAL[^\n]*\n")
#: Range and number of intervals of the tables: 0.05 mV apart, far beyond what a cell visits.
TABLE_MV, TABLE_INTERVALS = (-150, 100), 5000


def tabulate(text: str) -> str:
    """Give a voltage-dependent ``rates`` procedure a ``TABLE`` in steps of 0.05 mV, if it can."""
    found = _RATES.search(text)
    if not found or re.search(r"^[ \t]*TABLE\b", text, re.M) or "VERBATIM" in text:
        return text
    body = text[found.end() : _closing(text, found.end())]
    rates = dict.fromkeys(re.findall(r"^[ \t]*(\w*(?:inf|tau))[ \t]*=", body, re.M | re.I))
    if not rates:
        return text
    depends = " DEPEND celsius" if re.search(r"\bcelsius\b", body) else ""
    table = (
        f"\n    TABLE {', '.join(rates)}{depends} FROM {TABLE_MV[0]} TO {TABLE_MV[1]}"
        f" WITH {TABLE_INTERVALS}\n"
    )
    after = found.end()
    if local := _LOCAL.match(text, after):  # NMODL wants LOCAL first
        after = local.end()
    name = found[1]
    head = text[: found.start()] + f"PROCEDURE {name}(v (mV)) {{" + text[found.end() : after]
    return re.sub(rf"\b{name}\(\s*\)", f"{name}(v)", head + table + text[after:])


def _closing(text: str, start: int) -> int:
    """Index of the brace that closes a block opened just before `start`."""
    depth = 1
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return place
    return len(text)
