"""The report in a real browser: no errors on its console, curves and marks drawn, and a picture of it."""

import re
import shutil
import subprocess

import pytest

from autoscaler.cli.main import ended

pytestmark = pytest.mark.system
CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    load = str(folder / "load.parquet")
    assert ended(["trace", "generate", load, "--shape", "flash", "--days", "0.25", "--subjects", "2"]) == 0
    assert ended(["replay", "-t", load, "-p", "balanced", "--baselines", "--report", str(folder / "report.html")]) == 0
    return folder / "report.html"


def browse(report, *arguments):
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=3000"]
    call = [CHROMIUM, *flags, f"--user-data-dir={report.parent / 'profile'}", *arguments, report.as_uri()]
    return subprocess.run(call, capture_output=True, text=True, timeout=120, check=True)


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine (Debian package `chromium`)")
class TestReport:
    def test_it_draws_everything_without_a_word_on_the_console(self, report):
        done = browse(report, "--enable-logging=stderr", "--v=0", "--dump-dom")
        complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        assert complaints == []
        assert done.stdout.count("<svg") == 1 + 3 * 2  # the Pareto plot; curves, cost and placement of two replays
        assert done.stdout.count("<circle") == 3
        assert "because" not in done.stdout.split("<main")[0]
        assert "clairvoyant" in done.stdout

    def test_the_curves_come_after_one_row_per_policy_and_all_figures_at_the_end(self, report):
        page = browse(report, "--dump-dom").stdout.partition("<script")[0]
        compared, found, rest = page.partition('<section id="pareto">')
        assert found
        assert [compared.count(f'href="#run{run}"') for run in range(3)] == [1, 1, 0]  # the bound has no curves
        assert compared.count("<tr>") == 1 + 3
        curves, found, figures = rest.partition('<details id="all">')
        assert found
        assert curves.count("<svg") == 1 + 3 * 2
        assert "cloud vm releases" in figures

    def test_axes_are_marked_at_round_values(self, report):
        page = browse(report, "--dump-dom").stdout
        marks = re.findall(r'<text x="50"[^>]*>([^<]+)</text>', page)
        assert len(marks) > 20
        assert all(len(mark.replace(",", "").replace(".", "").strip("0")) <= 3 for mark in marks), marks

    @pytest.mark.parametrize("size", ["1200,1600", "400,1600"])
    def test_it_can_be_photographed_on_a_screen_and_on_a_phone(self, report, size):
        picture = report.parent / f"{size}.png"
        browse(report, f"--window-size={size}", f"--screenshot={picture}")
        assert picture.stat().st_size > 20_000
