"""Reading tables with pandas and pyarrow, and what is wrong with them said in one line.

Separate so that readers name columns and nothing else. No layout may be known here.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from autoscaler.core.snapshot import FloatArray
from autoscaler.sim.traces.files import refuse, text
from autoscaler.sim.traces.trace import Repairs

MOST_ROWS = 200_000_000
NS_PER_S = 1e9


def csv(
    path: Path,
    repairs: Repairs,
    *,
    names: Sequence[str] | None = None,
    delimiter: str = ",",
    content: str | None = None,
) -> pd.DataFrame:
    """A CSV file as text columns where they are not numbers. `names`: it has no header. Rows that are too short are counted,
    a row that is too long is refused: nobody knows which of its values is which."""
    content = text(path) if content is None else content
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                StringIO(content),
                sep=delimiter,
                names=list(names) if names else None,
                header=None if names else 0,
                index_col=False,  # or what is too much would be taken for names of rows
                skipinitialspace=True,
                on_bad_lines="error",
                low_memory=False,
            )
    except pd.errors.ParserWarning as warning:
        raise refuse(path, "its rows hold more values than its first line has columns") from warning
    except pd.errors.EmptyDataError as error:
        raise refuse(path, "there is no line in it") from error
    except (pd.errors.ParserError, ValueError) as error:
        raise refuse(path, f"not a table: {' '.join(str(error).split())}") from error
    repairs.short_row += _short_rows(content, delimiter, len(table.columns))
    return table


def _short_rows(content: str, delimiter: str, columns: int) -> int:
    rows = content.count("\n") + (not content.endswith("\n"))
    if content.count(delimiter) == rows * (columns - 1):  # as it should be
        return 0
    return sum(line.count(delimiter) < columns - 1 for line in StringIO(content) if not line.isspace())


def parquet(path: Path, columns: Sequence[str]) -> pa.Table:
    """These columns of a Parquet file."""
    try:
        file = pq.ParquetFile(path)
        missing = [name for name in columns if name not in file.schema_arrow.names]
        if missing:
            raise refuse(path, f"it has no column {missing[0]!r}; it has {', '.join(file.schema_arrow.names)}")
        if file.metadata.num_rows > MOST_ROWS:
            raise refuse(path, f"it has {file.metadata.num_rows} rows, the limit is {MOST_ROWS}")
        return file.read(columns=list(columns), use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise refuse(path, f"not a whole Parquet file ({' '.join(str(error).split())})") from error


def parquet_columns(path: Path) -> tuple[str, ...]:
    """The names in a Parquet file's schema."""
    try:
        return tuple(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise refuse(path, f"not a whole Parquet file ({' '.join(str(error).split())})") from error


def floats(column: pa.ChunkedArray) -> FloatArray:
    """A column of numbers; what is missing becomes NaN."""
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def numbers(path: Path, table: pd.DataFrame, name: str) -> FloatArray:
    """A column of numbers of a CSV table; what cannot be read becomes NaN, which the grid counts."""
    if name not in table.columns:
        raise refuse(path, f"it has no column {name!r}; it has {', '.join(map(str, table.columns))}")
    return np.asarray(pd.to_numeric(table[name], errors="coerce"), dtype=np.float64)


def seconds(path: Path, column: pd.Series) -> FloatArray:
    """Times as seconds since the epoch: numbers as they are (milliseconds are recognised), text as ISO 8601 in UTC."""
    if pd.api.types.is_numeric_dtype(column):
        values = np.asarray(column, dtype=np.float64)
        return values / 1000.0 if len(values) and np.nanmedian(values) > 1e11 else values
    try:
        times = pd.to_datetime(column, utc=True, format="ISO8601", errors="coerce")
    except (ValueError, TypeError) as error:
        raise refuse(path, f"column {column.name!r} holds no times") from error
    known = times.notna().to_numpy()
    if not known.any():
        raise refuse(path, f"column {column.name!r} holds no times; expected seconds, or 2026-11-24 21:00:00")
    nanoseconds = times.astype("datetime64[ns, UTC]").astype("int64").to_numpy()
    return np.where(known, nanoseconds / NS_PER_S, np.nan)
