"""Recorded load: every layout reads, every repair is counted, and what cannot be read ends in one line."""

import gzip
import os
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autoscaler.errors import UsageError
from autoscaler.sim.traces import Repairs, native, read_trace
from autoscaler.sim.traces.detect import layout_of
from autoscaler.sim.traces.grid import lay_out
from autoscaler.sim.traces.made_up import make_up

TRACES = Path(__file__).parents[4] / "shared" / "traces"
needs_traces = pytest.mark.skipif(not TRACES.is_dir(), reason="the recorded traces are not on this machine")


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


class TestGrid:
    def laid(self, samples, repairs, step_s=60.0):
        subject, at, value = (np.array(column) for column in zip(*samples, strict=True))
        return lay_out(subject.astype(np.int64), at.astype(float), {"v": value.astype(float)}, repairs, step_s)

    def test_sorted_doubled_and_missing_samples(self):
        repairs = Repairs()
        grid = self.laid([(0, 0, 1), (0, 180, 4), (0, 60, 2), (0, 60, 3)], repairs)
        assert grid.metrics["v"][:, 0].tolist() == [1.0, 3.0, 3.0, 4.0]
        assert dict(repairs.told()) == {"out_of_order": 1, "duplicate": 1, "gap": 1}

    def test_several_in_one_step_count_by_their_mean(self):
        repairs = Repairs()
        grid = self.laid([(0, 0, 1), (0, 60, 2), (0, 90, 4)], repairs)
        assert grid.metrics["v"][:, 0].tolist() == [1.0, 3.0]
        assert dict(repairs.told()) == {"same_step": 1}

    def test_before_the_first_and_after_the_last_sample_there_is_nothing(self):
        repairs = Repairs()
        grid = self.laid([(0, 0, 1), (0, 180, 1), (1, 60, 5), (1, 120, 6)], repairs)
        assert np.isnan(grid.metrics["v"][:, 1]).tolist() == [True, False, False, True]
        assert repairs.gap == 2

    def test_what_is_no_number_or_negative_is_missing(self):
        repairs = Repairs()
        grid = self.laid([(0, 0, 1), (0, 60, np.nan), (0, 120, -1), (0, 180, 2)], repairs)
        assert grid.metrics["v"][:, 0].tolist() == [1.0, 1.0, 1.0, 2.0]
        assert dict(repairs.told()) == {"not_a_number": 1, "negative": 1, "gap": 2}

    def test_the_usual_step_is_the_median_distance(self):
        grid = self.laid([(0, 0, 1), (0, 300, 1), (0, 601, 1), (0, 899, 1)], Repairs(), None)
        assert grid.step_s == 300.0


class TestLayouts:
    def test_planetlab_folder_and_archive_in_name_order(self, tmp_path):
        day = tmp_path / "20110303"
        day.mkdir()
        write(day / "b", "\n".join(["7"] * 288))
        write(day / "a", "\n".join(["100"] * 287 + ["104"]))
        archive = tmp_path / "20110303.tar.gz"
        with tarfile.open(archive, "w:gz") as file:
            file.add(day, "20110303")
        for path in (day, archive):
            trace = read_trace(path)
            assert trace.subjects == ("a", "b")
            assert trace.cores[0].tolist() == [1.0, 0.07]
            assert dict(trace.repairs.told()) == {"over_capacity": 1}
            assert (trace.kind, trace.step_s, trace.name) == ("app_vms", 300.0, "20110303")

    def test_bitbrains_raw(self, tmp_path):
        head = (
            "Timestamp [ms];\tCPU cores;\tCPU capacity provisioned [MHZ];\tCPU usage [MHZ];\tCPU usage [%];\t"
            "Memory capacity provisioned [KB];\tMemory usage [KB];\tDisk read throughput [KB/s]"
        )
        rows = [
            "1376314846;\t4;\t4000.0;\t1000.0;\t25;\t1048576;\t524288;\t0",
            "1376315146;\t4;\t4000;\t4400;\t110;\t1048576;\t0;\t0",
        ]
        rows.append("1376315446;\t4;\t0;\t0;\t0;\t1048576;\t0;\t0")
        folder = tmp_path / "rnd"
        folder.mkdir()
        write(folder / "1.csv", "\n".join([head, *rows]))
        trace = read_trace(folder)
        assert trace.subjects == ("app-1",)
        assert trace.cores[:, 0].tolist() == [1.0, 4.0, 0.0]
        assert trace.memory_bytes[0, 0] == 2**29
        assert dict(trace.repairs.told()) == {"capacity_zero": 1, "over_capacity": 1}

    @pytest.mark.parametrize(
        ("name", "text", "layout", "unit"),
        [
            (
                "w.csv",
                "period,count\n1998-04-30 21:30:00,2\n1998-04-30 21:31:00,11\n",
                "worldcup",
                "requests per minute",
            ),
            (
                "a.csv",
                "timestamp,min cpu,max cpu,avg cpu\n2017-01-01 00:00:00,1,3,2\n2017-01-01 00:05:00,1,3,11\n",
                "azure",
                "summed CPU",
            ),
            ("n.csv", "timestamp,value\n2015-02-26 21:42:53,2\n2015-02-26 21:47:53,11\n", "nab", "as recorded"),
            ("g.csv", "2,1,1,1,1,600000000.0\n11,1,1,1,1,900000000.0\n", "google", "summed CPU"),
        ],
    )
    def test_series(self, tmp_path, name, text, layout, unit):
        trace = read_trace(write(tmp_path / name, text))
        assert (trace.layout, trace.unit, trace.kind) == (layout, unit, "services")
        assert trace.cores[:, 0].tolist() == [2.0, 11.0]
        assert trace.in_cores(16.0).total().max() == pytest.approx(16.0)

    def test_opendc(self, tmp_path):
        stamps = pa.array([300_000, 900_000], pa.timestamp("ms", tz="UTC"))
        pq.write_table(
            pa.table({"id": ["7"], "cpu_count": [2], "cpu_capacity": [2000.0], "mem_capacity": [1024]}),
            tmp_path / "meta.parquet",
        )
        pq.write_table(
            pa.table(
                {"id": ["7", "7"], "timestamp": stamps, "duration": [300_000, 600_000], "cpu_usage": [1000.0, 500.0]}
            ),
            tmp_path / "trace.parquet",
        )
        trace = read_trace(tmp_path)
        assert trace.subjects == ("app-7",)
        assert trace.cores[:, 0].tolist() == [1.0, 0.5, 0.5]  # the second sample stands for two steps
        assert trace.allocated_bytes[0] == 2**30
        assert dict(trace.repairs.told()) == {}

    @pytest.mark.parametrize("kind", ["app_vms", "services"])
    @pytest.mark.parametrize("ending", ["csv", "parquet"])
    def test_ours_there_and_back(self, tmp_path, kind, ending):
        made = make_up("bursty", kind, 3, 0.5, 300.0, 4.0, seed=7)
        native.write(made, tmp_path / f"mine.{ending}")
        again = read_trace(tmp_path / f"mine.{ending}")
        assert (again.subjects, again.kind, again.step_s, again.start_at) == (made.subjects, kind, 300.0, made.start_at)
        assert np.allclose(again.cores, made.cores, rtol=1e-12)
        assert again.allocated_cores.tolist() == made.allocated_cores.tolist()
        assert dict(again.repairs.told()) == {}

    @needs_traces
    @pytest.mark.parametrize(
        ("name", "layout", "shape", "repairs"),
        [
            ("planetlab-20110306.tar.gz", "planetlab", (288, 898), {}),
            ("opendc-bitbrains-50", "opendc", (8640, 50), {"gap": 747}),
            ("azure2017-sum-20d.csv", "azure", (5760, 1), {}),
            ("google2011-sum-20d.csv", "google", (5760, 1), {}),
            ("worldcup98-to-0623.csv.gz", "worldcup", (77910, 1), {"gap": 10}),
            ("nab/nyc_taxi.csv", "nab", (10320, 1), {}),
        ],
    )
    def test_the_recorded_ones(self, name, layout, shape, repairs):
        trace = read_trace(TRACES / name)
        assert (trace.layout, trace.cores.shape, dict(trace.repairs.told())) == (layout, shape, repairs)

    @needs_traces
    def test_a_month_of_bitbrains_with_all_its_dirt(self):
        trace = read_trace(TRACES / "bitbrains-rnd-2013-08.parquet")
        assert trace.cores.shape == (8640, 400)
        assert dict(trace.repairs.told()) == {
            "duplicate": 4195,
            "same_step": 4157,
            "capacity_zero": 25177,
            "over_capacity": 76461,
            "gap": 6900,
        }
        assert (np.nan_to_num(trace.cores) <= trace.allocated_cores + 1e-9).all()


class TestMadeUp:
    def test_the_same_seed_makes_the_same_load(self):
        first, again, other = (make_up("flash", "services", 2, 1.0, 60.0, 8.0, seed) for seed in (1, 1, 2))
        assert (first.cores == again.cores).all()
        assert (first.cores != other.cores).any()

    @pytest.mark.parametrize("shape", ["diurnal", "bursty", "flash", "onoff"])
    def test_it_reaches_about_the_peak_that_was_asked_for(self, shape):
        peak = make_up(shape, "services", 1, 7.0, 300.0, 10.0, 3).cores.max()
        assert 6.0 < peak < 16.0


class TestShortRows:
    def test_they_are_counted_even_where_only_what_may_be_unknown_is_missing(self, tmp_path):
        rows = ["app_vm,at,cpu_cores,cores", "a,0,1,2", "a,60,1", "a,120", "", "a,180,1,2", "a,240,1,2", ""]
        trace = read_trace(write(tmp_path / "x.csv", "\n".join(rows)))
        assert dict(trace.repairs.told()) == {"short_row": 2, "not_a_number": 1, "gap": 1}
        assert trace.cores[:, 0].tolist() == [1.0] * 5

    def test_an_empty_field_is_not_a_short_row(self, tmp_path):
        trace = read_trace(write(tmp_path / "x.csv", "app_vm,at,cpu_cores,cores\na,0,1,2\na,60,1,\n\n"))
        assert dict(trace.repairs.told()) == {}


def pipe(path):
    os.mkfifo(path)
    return path


def folder_with(tmp_path, content):
    folder = tmp_path / "day"
    folder.mkdir()
    write(folder / "a", content)
    return folder


BROKEN = {
    "not there": (lambda p: p / "missing.csv", "there is no such file or folder"),
    "empty": (lambda p: write(p / "x.csv", ""), "the file is empty"),
    "empty folder": (lambda p: p, "the folder is empty"),
    "wrong delimiter": (lambda p: write(p / "x.csv", "timestamp;value\n1;2\n"), "with ';' between them; expected ','"),
    "unknown": (lambda p: write(p / "x.csv", "hello\nworld\n"), "first line 'hello' is that of no known layout"),
    "header only": (lambda p: write(p / "x.csv", "timestamp,value\n"), "holds no times|not one sample"),
    "one sample": (lambda p: write(p / "x.csv", "timestamp,value\n2015-01-01 00:00:00,1\n"), "at least two"),
    "no times": (lambda p: write(p / "x.csv", "timestamp,value\nfoo,1\nbar,2\n"), "holds no times"),
    "too long everywhere": (
        lambda p: write(p / "x.csv", "timestamp,value\n1,2,3\n2,3,4\n"),
        "its rows hold more values than its first line has columns",
    ),
    "a pipe": (lambda p: pipe(p / "x.csv"), "neither a file nor a folder"),
    "ragged": (lambda p: write(p / "x.csv", "timestamp,value\n1,2\n1,2,3,4\n"), "not a table"),
    "day cut short": (lambda p: folder_with(p, "1\n2\n"), "has 2 lines, expected 288"),
    "day of words": (lambda p: folder_with(p, "one\ntwo\n"), "something other than one number a line"),
    "no column": (lambda p: write(p / "x.csv", "app_vm,at\n1,2\n"), "no known layout"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_read_is_told_in_one_line(tmp_path, case):
    make, told = BROKEN[case]
    with pytest.raises(UsageError, match=told) as caught:
        read_trace(make(tmp_path))
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("x.csv", "timestamp,valeur\n".encode("utf-16"), "is not UTF-8"),
        ("x.csv", b"timestamp,value\n2015-01-01 00:00:00,\xff\xfe\n", "byte 36 is not UTF-8"),
        (
            "x.csv.gz",
            gzip.compress(b"timestamp,value\n2015-01-01 00:00:00,1\n" * 50, mtime=0)[:-20],
            "cut short or damaged",
        ),
        ("x.tar.gz", b"\x1f\x8bnot an archive", "cut short or damaged"),
        ("x.parquet", b"PAR1 cut short", "not a whole Parquet file"),
    ],
)
def test_damaged_files(tmp_path, name, content, told):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UsageError, match=told) as caught:
        read_trace(path)
    assert "\n" not in str(caught.value)


def test_a_file_of_a_gigabyte_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "big.csv"
    with path.open("wb") as file:
        file.write(b"timestamp,value\n")
        file.truncate(1 << 30)  # sparse: takes no room on the disk
    with pytest.raises(UsageError, match="it has 1024 MiB, the limit is 512 MiB"):
        read_trace(path)


def test_a_parquet_file_of_another_kind_names_its_columns(tmp_path):
    pd.DataFrame({"a": [1], "b": [2]}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(UsageError, match="no known layout has the columns a, b"):
        layout_of(tmp_path / "x.parquet")
