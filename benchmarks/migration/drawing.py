"""The benchmark's rows as a drawing: total time and largest gap against memory. SVG by hand: sixty marks need no library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import floor, log10
from typing import Any

WIDTH, HEIGHT, MARGIN, BASE = 360, 260, 56, 210
STYLE = "font-family:sans-serif;font-size:11px;fill:#333"
COLOURS = ("#2a6f97", "#c1121f")  # one for each kind of guest
PUBLISHED_GAP_S = 0.2  # the published system's downtime, on hardware and the same at every size


def drawing(rows: Sequence[dict[str, Any]], condition: str) -> str:
    """Two panels: every run as a dot, medians joined, one colour for each kind of guest that the rows name."""
    guests = tuple(dict.fromkeys(row.get("guest", "") for row in rows))
    parts = [panel(rows, guests, "total_s", "total time, s", 0), panel(rows, guests, "gap_s", "largest gap, s", WIDTH)]
    names = [
        f'<tspan fill="{colour}" font-weight="bold">{guest} </tspan>'
        for guest, colour in zip(guests, COLOURS, strict=False)
        if guest
    ]
    caption = (
        f'<text x="{MARGIN}" y="{HEIGHT + 14}">{"".join(names)}app VM memory, MiB; dots: runs, line: medians; '
        f"{condition}</text>"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {HEIGHT + 24}" style="{STYLE}">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{"".join(parts)}{caption}\n</svg>\n'
    )


def panel(rows: Sequence[dict[str, Any]], guests: Sequence[str], name: str, title: str, left: int) -> str:
    sizes = sorted({row["memory_mib"] for row in rows})
    step = _round_step(max(run[name] for row in rows for run in row["each"]) / 4)
    most = 4 * step
    across = _scale(0, sizes[-1] * 1.05, left + MARGIN, left + WIDTH - 16)
    up = _scale(0, most, BASE, 30)
    marks = [f'<text x="{left + MARGIN}" y="18" font-weight="bold">{title}</text>\n']
    for number in range(5):
        value = step * number
        y = up(value)
        marks.append(f'<line x1="{left + MARGIN}" x2="{left + WIDTH - 16}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        marks.append(f'<text x="{left + MARGIN - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>\n')
    marks += [
        f'<text x="{across(size):.1f}" y="{BASE + 16}" text-anchor="middle">{size}</text>'
        for size in sizes
        if size >= sizes[-1] / 16  # smaller ones would stand on each other
    ]
    if name == "gap_s":
        y = up(PUBLISHED_GAP_S)
        marks.append(
            f'<line x1="{left + MARGIN}" x2="{left + WIDTH - 16}" y1="{y:.1f}" y2="{y:.1f}" stroke="#666" stroke-dasharray="4 3"/>'
        )
        marks.append(
            f'<text x="{left + WIDTH - 16}" y="{y - 4:.1f}" text-anchor="end">published, on hardware: {PUBLISHED_GAP_S:g} s</text>\n'
        )
    for guest, colour in zip(guests, COLOURS, strict=False):
        own = [row for row in rows if row.get("guest", "") == guest]
        marks += [
            f'<circle cx="{across(row["memory_mib"]):.1f}" cy="{up(run[name]):.1f}" r="3" fill="{colour}" fill-opacity=".5"/>'
            for row in own
            for run in row["each"]
        ]
        line = " ".join(f"{across(row['memory_mib']):.1f},{up(row[name]):.1f}" for row in own)
        marks.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>\n')
    return "".join(marks)


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 2.5 and 5 times a power of ten that is no less."""
    power = 10.0 ** floor(log10(least))
    return next(power * first for first in (1.0, 2.0, 2.5, 5.0, 10.0) if power * first >= least * (1 - 1e-9))


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    return lambda value: start + (value - low) / (high - low) * (end - start)
