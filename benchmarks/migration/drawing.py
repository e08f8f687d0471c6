"""The benchmark's rows as a drawing: total time and largest gap against memory. SVG by hand: sixty marks need no library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

WIDTH, HEIGHT, MARGIN, BASE = 360, 260, 56, 210
STYLE = "font-family:sans-serif;font-size:11px;fill:#333"


def drawing(rows: Sequence[dict[str, Any]], condition: str) -> str:
    """Two panels: every run as a dot, medians joined."""
    parts = [panel(rows, "total_s", "total time, s", 0), panel(rows, "gap_s", "largest gap, s", WIDTH)]
    caption = f'<text x="{MARGIN}" y="{HEIGHT + 14}">app VM memory, MiB; dots: runs, line: medians; {condition}</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {HEIGHT + 24}" style="{STYLE}">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{"".join(parts)}{caption}\n</svg>\n'
    )


def panel(rows: Sequence[dict[str, Any]], name: str, title: str, left: int) -> str:
    sizes = [row["memory_mib"] for row in rows]
    most = max(run[name] for row in rows for run in row["each"]) * 1.1
    across = _scale(0, max(sizes) * 1.05, left + MARGIN, left + WIDTH - 16)
    up = _scale(0, most, BASE, 30)
    marks = [f'<text x="{left + MARGIN}" y="18" font-weight="bold">{title}</text>\n']
    for step in range(5):
        value = most * step / 4
        y = up(value)
        marks.append(f'<line x1="{left + MARGIN}" x2="{left + WIDTH - 16}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        marks.append(f'<text x="{left + MARGIN - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.1f}</text>\n')
    for row in rows:
        x = across(row["memory_mib"])
        marks.append(f'<text x="{x:.1f}" y="{BASE + 16}" text-anchor="middle">{row["memory_mib"]}</text>')
        marks += [
            f'<circle cx="{x:.1f}" cy="{up(run[name]):.1f}" r="3" fill="#2a6f97" fill-opacity=".5"/>'
            for run in row["each"]
        ]
    line = " ".join(f"{across(row['memory_mib']):.1f},{up(row[name]):.1f}" for row in rows)
    marks.append(f'<polyline points="{line}" fill="none" stroke="#2a6f97" stroke-width="1.5"/>\n')
    return "".join(marks)


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    return lambda value: start + (value - low) / (high - low) * (end - start)
