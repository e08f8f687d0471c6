"""`flexcapsule tune` as a user meets it: on a small load, with processes, on a Dask cluster, interrupted, and told wrong things."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from autoscaler.cli.main import ended
from autoscaler.sim.traces import native
from autoscaler.sim.traces.made_up import make_up

pytest.importorskip("optuna", reason="needs the group tune")
SEARCH = ["--search", "cpu_target=40%..80%", "--search", "size.cpu_up", "--search", "limits.worth_it.k=1..8"]


@pytest.fixture
def load(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    native.write(make_up("diurnal", "services", 1, 0.125, 300.0, 6.0, seed=3), tmp_path / "load.parquet")
    return "load.parquet"


def call(load, *more, trials="6", folds="2"):
    return ["tune", "-t", load, "-p", "balanced", "-n", trials, "--folds", folds, *SEARCH, *more]


def told(capsys, arguments, code=0):
    assert ended(arguments) == code
    return capsys.readouterr()


class TestOneMachine:
    def test_a_table_a_picture_and_a_policy_that_check_reads(self, load, tmp_path, capsys):
        out, progress = told(capsys, call(load, "-j", "1", "--out", "best.yaml", "--plot", "best.svg"))
        assert progress.splitlines()[-1] == "fold 2 of 2: 3 of 3 trials"
        assert "*" in out
        assert "verdict: " in out
        assert "fold 2, tuned on 0-2 h (3 trials), judged on 2-3 h" in out.replace("\n      ", " ")
        policy = (tmp_path / "best.yaml").read_text()
        assert policy.startswith("# Made of policy balanced by `flexcapsule tune`")
        assert "seed 1" in policy
        assert "load, 3 h in steps of 300 s" in policy
        assert "name: balanced-tuned" in policy
        picture = (tmp_path / "best.svg").read_text()
        assert picture.startswith("<svg xmlns=")
        assert picture.count("<title>trial ") == 3
        assert "ok: policy balanced-tuned" in told(capsys, ["check", "best.yaml"]).out

    def test_one_or_two_processes_give_the_same_to_the_byte_and_all_figures_are_of_the_replay(self, load, capsys):
        one = told(capsys, call(load, "-j", "1", "--storage", "none", "--json")).out
        assert told(capsys, call(load, "-j", "2", "--storage", "two", "--json")).out == one
        assert told(capsys, call(load, "-j", "2", "--storage", "two", "--json")).out == one  # nothing left to try
        document = json.loads(one)
        first = document["folds"][0]["tried"][0]
        assert first["values"]["strategy.replicas.cpu_target"] == 0.6  # as it is
        again = ["replay", "-t", load, "-p", "balanced", "--hours", "1", "--json"]
        score = json.loads(told(capsys, again).out)["results"][0]["score"]
        assert (first["cost"], first["unserved_fraction"]) == (score["cost"], pytest.approx(score["unserved_fraction"]))
        assert [fold["judged_on_blocks"] for fold in document["folds"]] == [[1, 2, 3], [2, 3, 3]]

    def test_ctrl_c_keeps_what_was_scored_and_the_same_call_goes_on(self, load, tmp_path, capsys):
        arguments = call(load, "-j", "2", trials="16", folds="1")
        command = [sys.executable, "-m", "autoscaler.cli.main", *arguments]
        listening = (
            "from signal import *; signal(SIGINT, default_int_handler)"  # not so where the tests run in the background
        )
        command[1:3] = ["-c", f"{listening}; from autoscaler.cli.main import main; main()"]
        running = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        kept = tmp_path / "balanced.tune"
        while running.poll() is None and _scored(kept) < 3:
            time.sleep(0.01)  # of another process there is no other sign
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does
        _, error = running.communicate(timeout=60)
        assert running.returncode == 130, error
        assert "what was scored is kept in balanced.tune; the same call goes on from there" in error
        assert "Traceback" not in error
        before = _scored(kept)
        assert 3 <= before < 16
        whole = told(capsys, [*arguments, "--json"]).out
        assert _scored(kept) == 16
        assert told(capsys, [*arguments, "--storage", "none", "--json"]).out == whole

    def test_numbers_lists_what_may_be_tuned(self, capsys):
        out = told(capsys, ["tune", "-p", "optimal", "--numbers"]).out
        assert "* strategy.hurdle" in out
        assert "limits.worth_it.k" in out
        assert "* limits" not in out

    @pytest.mark.parametrize(
        ("arguments", "told_"),
        [
            (["-p", "balanced"], "needs recorded load"),
            (["-p", "balanced", "-t", "LOAD", "--search", "cpu_taget=1%..2%"], "nearest: cpu_target"),
            (["-p", "balanced", "-t", "LOAD", "--world", "cloudsim"], "knows no prices"),
            (["-p", "balanced", "-t", "LOAD", "--jobs", "9"], "give --ahead 9 or more"),
            (
                ["-p", "balanced", "-t", "LOAD", "--jobs", "2", "--scheduler", "tcp://127.0.0.1:1"],
                "--jobs is for this machine",
            ),
            (["-p", "balanced", "-t", "LOAD", "--unserved", "lots"], "--unserved lots"),
            (["-p", "balanced", "-t", "LOAD", "--folds", "20"], "too short"),
            (["-p", "balanced", "-t", "LOAD", "-n", "2"], "more trials, or fewer --folds"),
            (["-p", "hold", "-t", "LOAD"], "declares no number with a range"),
            (["-p", "nope", "-t", "LOAD"], "no ready policy is called"),
            (["-p", "balanced", "-t", "LOAD", "--storage", "no/such/folder/file"], "cannot keep trials"),
            (["-p", "balanced", "-t", "LOAD", "--storage", "LOAD"], "no file of kept trials"),
        ],
    )
    def test_mistakes_end_in_one_line(self, load, arguments, told_, capsys):
        error = told(capsys, ["tune", *(load if one == "LOAD" else one for one in arguments)], 2).err.splitlines()
        assert told_ in error[-1]
        assert len(error) == 1

    def test_the_policy_itself_is_not_overwritten(self, load, tmp_path, capsys):
        mine = tmp_path / "mine.yaml"
        mine.write_text("name: mine\nstrategy: {name: target_tracking}\n")
        arguments = ["tune", "-p", "mine.yaml", "-t", load, "--out", str(mine)]
        assert "is the policy that is tuned" in told(capsys, arguments, 2).err


def _scored(kept):
    """Trials in the file that have figures."""
    if not kept.exists():
        return 0
    return sum('"values":[' in line for line in kept.read_text().splitlines())


class TestCluster:
    def test_two_workers_give_the_same_best_trial_as_this_machine(self, load, capsys):
        distributed = pytest.importorskip("distributed", reason="needs the group tune")
        alone = json.loads(told(capsys, call(load, "-j", "1", "--storage", "none", "--json")).out)
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
        ) as cluster:
            arguments = call(load, "--scheduler", cluster.scheduler_address, "--storage", "none", "--json")
            there = json.loads(told(capsys, arguments).out)
        assert there["winner"] == alone["winner"]
        assert there == alone

    def test_nobody_answers(self, load, capsys):
        pytest.importorskip("distributed", reason="needs the group tune")
        for address in ("tcp://127.0.0.1:1", "gibberish://x"):
            error = told(capsys, call(load, "--scheduler", address), 2).err.splitlines()
            assert "no Dask scheduler answers" in error[-1]

    def test_a_scheduler_without_workers(self, load, capsys):
        distributed = pytest.importorskip("distributed", reason="needs the group tune")
        with distributed.LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address=None) as cluster:
            error = told(capsys, call(load, "--scheduler", cluster.scheduler_address), 2).err
        assert "has no workers; start some: dask worker" in error
