"""Checks for exercises: is this answer right, and if not, where to look?

The right answer is computed from the data of the source in use, never stored: a class on the
sample and a class on the real files are both told the truth.

To add one, write a function in the module of the book's part, by another road than the
solution where there is one, and end the solution in the chapter with the check::

    @exercise("ex-rest-current", "Ohm's law: divide the change of voltage by the current.")
    def _current(model="L5_TTPC1_cADpyr232_1"):
        import nmc
        ...
        return answer

    nmc.check("ex-rest-current", answer, model=model)
"""

from nmc.exercises.core import TOLERANCE, Verdict, check, exercise, exercises

__all__ = ["TOLERANCE", "Verdict", "check", "exercise", "exercises"]
