"""Forecast quality on real traces: pinball loss over rolling origins, each forecaster beside the two naive ones.

    python -m benchmarks.forecast [--traces ../shared/traces] [--origins 60] [--horizon 6] [--out FILE]

A rolling origin: at each of `origins` instants, spread evenly over the last half of a trace, a forecaster sees what came before
and tells the quantiles 0.5, 0.9 and 0.99 of the next `horizon` five-minute steps (half an hour: a cloud VM's start-up and some
migrations), as a controller lets it: learned once a day from two weeks. Losses are relative to the seasonal naive forecast of the
same origins. `auto` is whoever was best on the day before. Where there is no forecast (the load has changed, too little is
known) the newest value stands in, and is counted.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from autoscaler.forecast.choice import FORECASTERS, QUANTILES, pinball
from autoscaler.forecast.naive import LastValue
from autoscaler.forecast.rolling import QUICK, tell
from autoscaler.forecast.series import DAY_S, Series
from autoscaler.sim.traces import read_trace
from benchmarks.result import result, write

TRACES = ("worldcup98-to-0623.csv.gz", "azure2017-sum-20d.csv", "google2011-sum-20d.csv")
STEP_S = 300.0
RIVAL = "seasonal_naive"
REMEMBERED_S = 15 * DAY_S  # as a controller does
AUTO = (*QUICK, "boosting")


def series_of(path: Path) -> Series:
    """A trace's total load in five-minute steps."""
    trace = read_trace(path)
    total, fold = trace.total(), max(1, round(STEP_S / trace.step_s))
    whole = len(total) // fold * fold
    return Series(total[:whole].reshape(-1, fold).mean(axis=1), trace.step_s * fold, trace.start_at)


def losses(series: Series, names: tuple[str, ...], origins: int, horizon: int) -> tuple[float, float, int]:
    """Mean loss, seconds per forecast, and how often there was none; then the newest value stands in."""
    ends = np.linspace(len(series.values) // 2, len(series.values) - horizon, origins).astype(int)
    found, without, begun = [], 0, time.perf_counter()
    for end in ends.tolist():
        known = series.until(end).last(series.steps(REMEMBERED_S))
        told = tell(known, names, horizon, tuple(QUANTILES.tolist())).cores
        without += told is None
        cores = LastValue().fit(known).predict(horizon, QUANTILES) if told is None else told
        found.append(pinball(series.known[end : end + horizon], cores, QUANTILES))
    return float(np.mean(found)), (time.perf_counter() - begun) / origins, without


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=Path, default=Path("../shared/traces"))
    parser.add_argument("--origins", type=int, default=60)
    parser.add_argument("--horizon", type=int, default=6)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    rows = []
    for trace in TRACES:
        series = series_of(asked.traces / trace)
        rival = losses(series, (RIVAL,), asked.origins, asked.horizon)[0]
        for name in (*FORECASTERS, "auto"):
            names = AUTO if name == "auto" else (name,)
            loss, seconds, fell_back = losses(series, names, asked.origins, asked.horizon)
            rows.append({"trace": trace.split("-", maxsplit=1)[0], "forecaster": name, "pinball_ratio": loss / rival})
            rows[-1] |= {"forecast_s": seconds, "fell_back": fell_back}
            print(
                f"{rows[-1]['trace']:<12}{name:<16}{loss / rival:8.3f} of {RIVAL}{seconds:9.3f} s, fell back {fell_back}"
            )
    if asked.out is not None:
        conditions = {"origins": asked.origins, "horizon_steps": asked.horizon, "step_s": STEP_S}
        write(result("forecast", 0, conditions, rows, ("scikit-learn", "numpy")), asked.out)


if __name__ == "__main__":
    main()
