"""The benchmark of scrapes runs and scrapes. What it measures needs a quiet machine; that no scrape writes metrics anew in a turn is
held in tests/unit/telemetry/test_collector.py."""

from __future__ import annotations

from benchmarks.scrape.__main__ import KINDS, lines, measure


def test_it_compares_turns_with_and_without_scrapes():
    row = measure(300, 1, 2, KINDS[:3])
    assert row["series"] > 200
    assert row["scrapes_in_always"] >= 1
    assert row["scrape_s"] < 0.5
    assert {"turn_quiet_s", "turn_once_s", "turn_always_s", "once_to_quiet", "always_to_quiet"} <= row.keys()
    told = {**row, "turn_judged_s": 1.0, "judged_to_quiet": 1.0}
    assert next(text for text, _, _ in lines(told)) == "nobody asks"
