"""Which layout a file or folder has, told from what is in it, and its reader. One table; the first that matches reads.

Separate because it is the only place that knows all layouts.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from autoscaler.errors import UsageError
from autoscaler.sim.traces import bitbrains, native, opendc, planetlab, series, tables
from autoscaler.sim.traces.files import check, first_line, refuse
from autoscaler.sim.traces.trace import Trace

LAYOUTS: dict[str, tuple[str, Callable[[Path], Trace]]] = {
    "planetlab": ("folder or .tar.gz: a file per app VM, 288 numbers each", planetlab.read),
    "bitbrains-csv": ("folder, .tar.gz or file: GWA-T-12 CSV with `;` between columns", bitbrains.read_raw),
    "bitbrains": ("Parquet: " + ", ".join(bitbrains.PARQUET), bitbrains.read_parquet),
    "opendc": ("folder with meta.parquet and trace.parquet", opendc.read),
    "worldcup": ("CSV: " + series.WORLD_CUP, series.read_world_cup),
    "azure": ("CSV: " + series.AZURE, series.read_azure),
    "nab": ("CSV: " + series.NAB, series.read_nab),
    "google": ("CSV without header: " + ", ".join(series.GOOGLE), series.read_google),
    "native": ("CSV or Parquet: app_vm or service, at, cpu_cores (docs/replay.md)", native.read_csv),
}
HEADERS = {series.WORLD_CUP: "worldcup", series.AZURE: "azure", series.NAB: "nab"}


def read_trace(path: Path) -> Trace:
    """The trace at `path`. Raises UsageError, one line, where it cannot be read."""
    check(path)
    layout = layout_of(path)
    try:
        if layout == "native" and path.suffix == ".parquet":
            return native.read_parquet(path)
        return LAYOUTS[layout][1](path)
    except UsageError as error:
        if str(path) in str(error):
            raise
        raise refuse(path, str(error)) from error


def layout_of(path: Path) -> str:
    """Its name in LAYOUTS. Raises UsageError where it is none of them."""
    if path.is_dir():
        return _of_folder(path)
    if ".tar" in path.suffixes:
        return "planetlab"
    if path.suffix == ".parquet" or _magic(path) == b"PAR1":
        return _of_parquet(path)
    return _of_text(path)


def _of_folder(path: Path) -> str:
    names = {file.name for file in path.iterdir()}
    if {opendc.META, opendc.TRACE} <= names:
        return "opendc"
    first = min((file for file in path.iterdir() if file.is_file()), default=None)
    if first is None:
        raise refuse(path, "the folder holds no files, only folders; name one of them")
    return "bitbrains-csv" if ";" in first_line(first) else "planetlab"


def _of_parquet(path: Path) -> str:
    columns = tables.parquet_columns(path)
    if set(bitbrains.PARQUET) <= set(columns):
        return "bitbrains"
    if native.matches(columns):
        return "native"
    raise refuse(path, f"no known layout has the columns {', '.join(columns)}; see `flexcapsule trace info --help`")


def _of_text(path: Path) -> str:
    line = first_line(path)
    if line in HEADERS:
        return HEADERS[line]
    columns = tuple(name.strip() for name in line.split(","))
    if native.matches(columns):
        return "native"
    if ";" in line and "Timestamp" in line:
        return "bitbrains-csv"
    if len(columns) == len(series.GOOGLE) and all(_number(column) for column in columns):
        return "google"
    for header, layout in (*HEADERS.items(), ("app_vm,at,cpu_cores", "native"), ("service,at,cpu_cores", "native")):
        for wrong in (";", "\t", "|"):
            if tuple(part.strip() for part in line.split(wrong)) == tuple(header.split(",")):
                raise refuse(
                    path, f"its columns are those of layout {layout}, but with {wrong!r} between them; expected ','"
                )
    shown = line[:60] + ("…" if len(line) > 60 else "")
    raise refuse(path, f"its first line {shown!r} is that of no known layout; known: {', '.join(LAYOUTS)}")


def _magic(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
