"""The report as one HTML file without scripts or anything from elsewhere: figures, two curves, every action with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT, LEFT, TOP = 960, 190, 46, 16
STYLE = """
:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .4rem}p{margin:.3rem 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.6rem;margin:1rem 0}
.tile{border:1px solid #8886;border-radius:6px;padding:.5rem .8rem}.tile b{display:block;font-size:1.35rem}
.bad{color:#c22}table{border-collapse:collapse;width:100%;font-size:.9rem}td,th{text-align:left;padding:.25rem .5rem;
border-bottom:1px solid #8884;vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
svg{width:100%;height:auto}svg text{font-size:11px;fill:currentColor}
"""
COLOURS = {
    "scale_out": "#2a7", "scale_in": "#9c6", "scale_up": "#06c", "scale_down": "#6ad", "consolidate": "#a5c", "separate": "#d80",
}  # fmt: skip


def page(report: dict[str, Any]) -> str:
    """The whole file."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>FlexCapsule: a live run</title>",
        f"<style>{STYLE}</style><h1>FlexCapsule: a live run</h1>",
        f"<p>{_where(report)}</p>",
        *(f"<p>{escape(note)}</p>" for note in report["notes"]),
        _tiles(report),
        "<h2>Load, and what was rented for it</h2>",
        _curves(report),
        "<h2>Every action, and why</h2>",
        _table(
            (">s", "action", "about", "reason", "outcome", ">took s"),
            (
                (f"{a['at']:.0f}", a["action"], a["about"], a["reason"], a["outcome"], _took(a))
                for a in report["granted"]
            ),
        ),
        "<h2>Every migration</h2>",
        _table(
            (">s", "app VM", "to", ">total s", ">paused s", ">MB", "outcome"),
            (
                (
                    f"{m['at']:.0f}",
                    m["app_vm"],
                    m["target"],
                    f"{m['total_s']:.2f}",
                    f"{m['downtime_s']:.3f}",
                    f"{m['sent_bytes'] / 1e6:.1f}",
                    m["outcome"],
                )
                for m in report["moved"]
            ),
        ),
    ]
    if report["failures"]:
        rows = ((f"{f['at_s']:.1f}", f["service"], f["failure"], f"{f['took_s']:.2f}") for f in report["failures"])
        parts += ["<h2>Failed requests</h2>", _table((">s", "service", "failure", ">took s"), rows)]
    return "\n".join(parts)


def _where(report: dict[str, Any]) -> str:
    on = report["machine"]
    words = (report["measured_at"], f"commit {report['versions']['commit']}", on["cpu"], f"{on['cores']} cores")
    return escape(", ".join((*words, report["accelerator"])) + "; real Xen in every cloud VM.")


def _tiles(report: dict[str, Any]) -> str:
    cost, asked, moves = report["cost"], report["requests"]["all"], report["migrations"]
    missing = ", ".join(report["missing_actions"])
    tiles = (
        (f"{100 * cost['saved_fraction']:.0f} % saved", f"{cost['paid']:.4f} paid; always the peak's cloud VMs: {cost['fixed_cluster']:.4f}", False),
        (f"{asked['failed']} of {asked['sent']} failed", f"requests; half within {1000 * asked['p50_s']:.0f} ms, 99 % within {asked['p99_s']:.2f} s", asked["failed"] > 0),
        (f"{6 - len(report['missing_actions'])} of 6 actions", f"missing: {missing}" if missing else _counts(report), bool(missing)),
        (f"{report['cloud_vms']['created']} rented, {report['cloud_vms']['released']} released", "cloud VMs, beside the first one", False),
        (f"{moves['downtime_longest_s']:.2f} s", f"longest pause of {moves['done']} migrations (median {moves['downtime_median_s']:.2f} s); {moves['failed']} failed", False),
    )  # fmt: skip
    inner = "".join(
        f"<div class=tile><b{' class=bad' if bad else ''}>{escape(head)}</b>{escape(text)}</div>"
        for head, text, bad in tiles
    )
    return f"<div class=tiles>{inner}</div>"


def _counts(report: dict[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in report["actions"].items())


def _took(action: dict[str, Any]) -> str:
    return "" if action["ended_at"] is None else f"{action['ended_at'] - action['at']:.0f}"


def _curves(report: dict[str, Any]) -> str:
    length = max(report["seconds"], 1.0)
    load = [(p["at"], p["wanted_cores"]) for p in report["served"]]
    waits = [(p["at"], p["longest_s"]) for p in report["served"]]
    price = _steps([(t["at"], t["price_per_hour"]) for t in report["ticks"]], length)
    marks = [(a["at"], a["action"]) for a in report["granted"]]
    keys = "".join(
        f'<tspan fill="{colour}">&#9679; {name.replace("_", " ")}&#160; </tspan>' for name, colour in COLOURS.items()
    )
    legend = f'<svg viewBox="0 0 {WIDTH} 18"><text x="{LEFT}" y="12">{keys}</text></svg>'
    return (
        _curve("cores asked for by clients", load, length, "#2a7", marks)
        + legend
        + _curve("price per hour", price, length, "#06c", [])
        + _curve("longest wait for an answer, s", waits, length, "#d80", [])
    )


def _curve(
    title: str, points: Sequence[tuple[float, float]], length: float, colour: str, marks: Iterable[tuple[float, str]]
) -> str:
    top = max([value for _, value in points] or [1.0]) * 1.15 or 1.0

    def x(at: float) -> float:
        return LEFT + (WIDTH - LEFT - 8) * at / length

    def y(value: float) -> float:
        return HEIGHT - 22 - (HEIGHT - 22 - TOP) * value / top

    line = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in points)
    grid = "".join(
        f'<line x1="{LEFT}" x2="{WIDTH - 8}" y1="{y(v):.1f}" y2="{y(v):.1f}" stroke="#8883"/><text x="4" y="{y(v) + 4:.1f}">{v:.2g}</text>'
        for v in (0.0, top / 2, top / 1.15)
    )
    dots = "".join(
        f'<circle cx="{x(at):.1f}" cy="{TOP + 4 + 10 * above}" r="4" fill="{COLOURS.get(name, "#888")}">'
        f"<title>{at:.0f} s: {name}</title></circle>"
        for at, name, above in _stacked(marks, length)
    )
    times = "".join(
        f'<text x="{x(at):.1f}" y="{HEIGHT - 6}">{at / 60:.0f} min</text>' for at in range(0, int(length) - 30, 120)
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}"><text x="{LEFT}" y="12">{escape(title)}</text>'
        f'{grid}<polyline fill="none" stroke="{colour}" stroke-width="2" points="{line}"/>{dots}{times}</svg>'
    )


def _stacked(marks: Iterable[tuple[float, str]], length: float) -> Iterable[tuple[float, str, int]]:
    """Marks of one moment below each other; those from before the beginning and after the end stand at its edge."""
    met: dict[float, int] = {}
    for at, name in marks:
        edge = min(max(at, 0.0), length)
        met[edge] = met.get(edge, -1) + 1
        yield edge, name, met[edge]


def _steps(points: Sequence[tuple[float, float]], length: float) -> list[tuple[float, float]]:
    """A price holds until the next one."""
    stairs: list[tuple[float, float]] = []
    for at, value in points:
        if stairs:
            stairs.append((at, stairs[-1][1]))
        stairs.append((at, value))
    return [*stairs, (length, stairs[-1][1])] if stairs else []


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    kinds = [" class=n" if column.startswith(">") else "" for column in columns]
    head = "".join(f"<th{k}>{escape(c.removeprefix('>'))}</th>" for c, k in zip(columns, kinds, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{k}>{escape(cell)}</td>" for cell, k in zip(row, kinds, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"
