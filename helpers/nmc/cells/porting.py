"""Porting old MOD idioms: each rule with its reason; the text is otherwise left as it stands.

The portal's mechanisms were written for NEURON 7.3.  NEURON 9 compiles mechanisms as C++
against its own declarations, and a few old forms no longer compile.  Every rule leaves the
meaning unchanged, and its result compiles under NEURON 8.2 as well.
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
)


def port(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the ported MOD text and the names of the rules that changed it."""
    applied = []
    for rule in RULES:
        text, count = rule.pattern.subn(rule.replacement, text)
        if count:
            applied.append(rule.name)
    return text, tuple(applied)
