"""All trials of the last fold as one picture: cost against unserved demand, bigger dots move more. An SVG that needs nothing else.

Separate because drawing is arithmetic of its own; what is drawn is decided in evidence.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10

from autoscaler.tune.choice import Tried
from autoscaler.tune.evidence import Evidence

WIDTH, HEIGHT, LEFT, BOTTOM, EDGE = 860, 520, 90, 60, 40
TICKS = 5
LEAST_R, MOST_R = 3.5, 12.0
STYLE = (
    "text{font:13px sans-serif;fill:#333}.t{font-weight:bold;font-size:15px}.a{stroke:#999}.g{stroke:#eee}"
    ".beaten{fill:#bbb}.front{fill:#2a78b5}.winner{fill:#d1495b}.was{fill:none;stroke:#333;stroke-width:2}"
    "circle{fill-opacity:.8}polyline{fill:none;stroke:#2a78b5;stroke-dasharray:4 3}"
)


class Axis:
    """A stretch of values on a stretch of pixels, with round numbers at its ticks."""

    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        low, high = min(values), max(values)
        if high - low <= 1e-12 * max(abs(high), 1.0):
            low, high = low - max(abs(low) * 0.05, 1e-6), high + max(abs(high) * 0.05, 1e-6)
        step = _round_step((high - low) / TICKS)
        self.low, self.high = floor(low / step) * step, ceil(high / step) * step
        self.ticks = [self.low + step * n for n in range(round((self.high - self.low) / step) + 1)]
        self._begin, self._end = begin, end

    def __call__(self, value: float) -> float:
        return self._begin + (value - self.low) / (self.high - self.low) * (self._end - self._begin)


def picture(evidence: Evidence) -> str:
    """The whole SVG."""
    tried, front = evidence.last.tried, {trial.number for trial in evidence.front}
    winner = evidence.last.winner
    x = Axis([trial.cost for trial in tried], LEFT, WIDTH - EDGE)
    y = Axis([100 * trial.unserved_fraction for trial in tried], HEIGHT - BOTTOM, EDGE + 30)
    most = max(trial.migrations for trial in tried) or 1.0
    parts = [*_frame(evidence, x, y)]
    ordered = sorted(evidence.front, key=lambda trial: trial.figures)
    parts.append(
        f'<polyline points="{" ".join(f"{x(t.cost):.1f},{y(100 * t.unserved_fraction):.1f}" for t in ordered)}"/>'
    )
    for trial in sorted(tried, key=lambda trial: (trial.number == winner.number, trial.number in front)):
        kind = "winner" if trial.number == winner.number else "front" if trial.number in front else "beaten"
        radius = LEAST_R + (MOST_R - LEAST_R) * (trial.migrations / most) ** 0.5
        parts.append(_dot(evidence, trial, kind, (x(trial.cost), y(100 * trial.unserved_fraction)), radius))
        if evidence.is_as_it_was(trial):
            parts.append(
                f'<circle class="was" cx="{x(trial.cost):.1f}" cy="{y(100 * trial.unserved_fraction):.1f}" r="{radius + 3:.1f}"/>'
            )
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{STYLE}</style>\n' + "\n".join(parts) + "\n</svg>\n"


def _frame(evidence: Evidence, x: Axis, y: Axis) -> list[str]:
    title = (
        f"{evidence.session.written.name}: {len(evidence.last.tried)} trials of the last fold, on what it was tuned on"
    )
    legend = "red: the winner, blue: beaten by none, grey: beaten, ring: the policy as it was; bigger: more migrations"
    parts = [
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text class="t" x="{LEFT}" y="24">{escape(title)}</text>',
        f'<text x="{LEFT}" y="44">{escape(legend)}</text>',
        f'<text x="{(LEFT + WIDTH - EDGE) / 2:.0f}" y="{HEIGHT - 14}" text-anchor="middle">cost</text>',
        f'<text transform="translate(20 {HEIGHT / 2:.0f}) rotate(-90)" text-anchor="middle">demand unserved, %</text>',
    ]
    top, bottom = y(y.high), y(y.low)
    for tick in x.ticks:
        parts.append(f'<line class="g" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>')
        parts.append(f'<text x="{x(tick):.1f}" y="{bottom + 20:.1f}" text-anchor="middle">{tick:.6g}</text>')
    for tick in y.ticks:
        parts.append(f'<line class="g" x1="{LEFT}" x2="{WIDTH - EDGE}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:.4g}</text>')
    parts.append(f'<line class="a" x1="{LEFT}" x2="{WIDTH - EDGE}" y1="{bottom:.1f}" y2="{bottom:.1f}"/>')
    return parts


def _dot(evidence: Evidence, trial: Tried, kind: str, at: tuple[float, float], radius: float) -> str:
    values = ", ".join(f"{d.name} {d.shown(trial.values[d.name])}" for d in evidence.session.space)
    told = (
        f"trial {trial.number}: cost {trial.cost:.2f}, {trial.unserved_fraction:.3%} unserved, "
        f"{trial.migrations:.0f} migrations\n{values}"
    )
    return f'<circle class="{kind}" cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="{radius:.1f}"><title>{escape(told)}</title></circle>'


def _round_step(rough: float) -> float:
    """The next of 1, 2, 5, 10, ... times a power of ten."""
    power: float = 10.0 ** floor(log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
