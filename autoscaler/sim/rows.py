"""Identities with a numpy row each, in order of first appearance; what the world's measurements are kept in.

Separate from the world because growing, shrinking and finding rows is all it knows. Nothing about app VMs or cloud VMs in
particular may be here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Identified(Protocol):
    """What has an id."""

    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=Identified)


class Rows(Generic[T]):
    """`identities[i]` is described by `columns[i]`, a structured array; ids are unique."""

    def __init__(self, dtype: np.dtype[np.void], identities: Sequence[T] = ()) -> None:
        self._identities = list(identities)
        self._tuple: tuple[T, ...] | None = None
        self._index: dict[str, int] | None = None
        self.columns: NDArray[np.void] = np.zeros(len(self._identities), dtype=dtype)

    def __len__(self) -> int:
        return len(self._identities)

    def __getitem__(self, column: str) -> NDArray[Any]:
        """One column, writable: a view that ends when a row comes or goes."""
        return self.columns[column]

    def __setitem__(self, column: str, values: ArrayLike) -> None:
        self.columns[column] = values

    @property
    def identities(self) -> tuple[T, ...]:
        """All identities; the very same tuple until one comes, goes or changes."""
        if self._tuple is None:
            self._tuple = tuple(self._identities)
        return self._tuple

    def row(self, name: str) -> int | None:
        """The row of an id, None where there is none."""
        if self._index is None:
            self._index = {identity.id: row for row, identity in enumerate(self._identities)}
        return self._index.get(name)

    def append(self, identity: T, **values: float) -> int:
        """Add a row; columns not given are 0."""
        row = np.zeros(1, dtype=self.columns.dtype)
        for column, value in values.items():
            row[column] = value
        self.columns = np.concatenate([self.columns, row])
        if self._index is not None:
            self._index[identity.id] = len(self._identities)
        self._identities.append(identity)
        self._tuple = None
        return len(self._identities) - 1

    def replace(self, row: int, identity: T) -> None:
        """The same id with other properties."""
        self._identities[row] = identity
        self._tuple = None

    def remove(self, rows: Sequence[int]) -> None:
        """Take rows out; those after them move up."""
        gone = set(rows)
        self._identities = [identity for row, identity in enumerate(self._identities) if row not in gone]
        self.columns = np.delete(self.columns, list(gone))
        self._tuple = self._index = None
