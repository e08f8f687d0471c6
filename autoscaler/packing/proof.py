"""Why no packing costs less than so much: a proof that can be checked without searching. Values only.

Separate because the optimiser writes it and the checker reads it, and they share nothing else but the question. Every packing
fulfils each row (what all items demand of a resource has to be offered; of the items that are large, a bin holds only so
many). Questions about how many bins of a kind are in use divide all packings into cases; in each case a unit of a row is said
to be worth so much, and then no packing of the case costs less than what is demanded is worth, less what bins give beyond
their price. Whatever kinds, questions and worths are written here, what follows from them is true; good ones prove more.
"""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.core.snapshot import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Proof:
    """resource, at_least: (q,) of each row: with at_least 0 the resource's demand, else the number of items that demand at
    least so much of it. kind: (b + s,) of each present bin and each size, 0 to c - 1: those of a kind are counted together.
    asked: (m,) the kind that a question is about, NOWHERE where there is no more to ask: a case. limit: (m,) "are at most so
    many in use?"; what follows on yes comes next, then what follows on no. worth: (cases, q) money per unit of the row."""

    resource: IntArray
    at_least: FloatArray
    kind: IntArray
    asked: IntArray
    limit: IntArray
    worth: FloatArray

    @property
    def cases(self) -> int:
        return len(self.worth)
