"""Which layout a file or folder has, told from what is in it, and its reader. One table; the first that matches reads.

Separate because it is the only place that knows all layouts. A reader is imported when its layout was found: pandas and
pyarrow together are 80 MB that a PlanetLab day does not need.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from autoscaler.errors import UsageError
from autoscaler.sim.traces.files import check, first_line, refuse
from autoscaler.sim.traces.trace import Trace

BITBRAINS = ("vm", "ts", "cores", "cpu_cap_mhz", "cpu_mhz", "mem_cap_kb", "mem_used_kb")
OPENDC = ("meta.parquet", "trace.parquet")
GOOGLE_COLUMNS = 6
OURS = ("app_vm,at,cpu_cores", "service,at,cpu_cores")
SHOWN = 60  # characters of a line that is not understood

# layout -> what it looks like, module, function
LAYOUTS: dict[str, tuple[str, str, str]] = {
    "planetlab": ("folder or .tar.gz: a file per app VM, 288 numbers each", "planetlab", "read"),
    "bitbrains-csv": ("folder or file: GWA-T-12 CSV with `;` between columns", "bitbrains", "read_raw"),
    "bitbrains": ("Parquet: " + ", ".join(BITBRAINS), "bitbrains", "read_parquet"),
    "opendc": ("folder with " + " and ".join(OPENDC), "opendc", "read"),
    "worldcup": ("CSV: period,count", "series", "read_world_cup"),
    "azure": ("CSV: timestamp,min cpu,max cpu,avg cpu", "series", "read_azure"),
    "nab": ("CSV: timestamp,value", "series", "read_nab"),
    "google": (f"CSV of {GOOGLE_COLUMNS} numbers a line, no header", "series", "read_google"),
    "native": ("CSV or Parquet: app_vm or service, at, cpu_cores (docs/replay.md)", "native", "read"),
}
HEADERS = {look.removeprefix("CSV: "): name for name, (look, _, _) in LAYOUTS.items() if look.startswith("CSV: ")}


def read_trace(path: Path) -> Trace:
    """The trace at `path`. Raises UsageError, one line, where it cannot be read."""
    check(path)
    _, module, function = LAYOUTS[layout_of(path)]
    reader = getattr(import_module(f"autoscaler.sim.traces.{module}"), function)
    try:
        trace: Trace = reader(path)
    except UsageError as error:
        if str(path) in str(error):
            raise
        raise refuse(path, str(error)) from error
    return trace


def layout_of(path: Path) -> str:
    """Its name in LAYOUTS. Raises UsageError where it is none of them."""
    if path.is_dir():
        return _of_folder(path)
    if ".tar" in path.suffixes:
        return "planetlab"
    if path.suffix == ".parquet" or _magic(path) == b"PAR1":
        return _of_parquet(path)
    return _of_text(path)


def ours(columns: tuple[str, ...]) -> bool:
    """Whether these are columns of our own layout."""
    return {"at", "cpu_cores"} <= set(columns) and not {"app_vm", "service"}.isdisjoint(columns)


def _of_folder(path: Path) -> str:
    names = {file.name for file in path.iterdir()}
    if set(OPENDC) <= names:
        return "opendc"
    first = min((file for file in path.iterdir() if file.is_file()), default=None)
    if first is None:
        raise refuse(path, "the folder holds no files, only folders; name one of them")
    return "bitbrains-csv" if ";" in first_line(first) else "planetlab"


def _of_parquet(path: Path) -> str:
    columns: tuple[str, ...] = import_module("autoscaler.sim.traces.tables").parquet_columns(path)
    if set(BITBRAINS) <= set(columns):
        return "bitbrains"
    if ours(columns):
        return "native"
    raise refuse(path, f"no known layout has the columns {', '.join(columns)}; see `flexcapsule trace info --help`")


def _of_text(path: Path) -> str:
    line = first_line(path)
    if line in HEADERS:
        return HEADERS[line]
    columns = tuple(name.strip() for name in line.split(","))
    if ours(columns):
        return "native"
    if ";" in line and "Timestamp" in line:
        return "bitbrains-csv"
    if len(columns) == GOOGLE_COLUMNS and all(_is_number(column) for column in columns):
        return "google"
    for header, layout in (*HEADERS.items(), *((header, "native") for header in OURS)):
        for wrong in (";", "\t", "|"):
            if tuple(part.strip() for part in line.split(wrong)) == tuple(header.split(",")):
                raise refuse(
                    path, f"its columns are those of layout {layout}, but with {wrong!r} between them; expected ','"
                )
    shown = line[:SHOWN] + ("…" if len(line) > SHOWN else "")
    raise refuse(path, f"its first line {shown!r} is that of no known layout; known: {', '.join(LAYOUTS)}")


def _magic(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
