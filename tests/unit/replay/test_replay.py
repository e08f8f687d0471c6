"""Closed-loop replay: the same decisions as a run, the same bytes every time, baselines on both sides, and the gate."""

import json
import signal
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from autoscaler.cli.assembly import assemble
from autoscaler.cli.loading import TOOLBOX, load_policy
from autoscaler.cli.main import ended
from autoscaler.cli.replay_running import carry_out
from autoscaler.config import ready_policy
from autoscaler.core.engine import Engine
from autoscaler.core.events import Record
from autoscaler.errors import UsageError
from autoscaler.replay.baselines import clairvoyant, hold_policy, vertices
from autoscaler.replay.batch import Job, Setting, figures, jobs
from autoscaler.replay.gate import check, judge
from autoscaler.replay.loop import replay
from autoscaler.replay.outcome import Outcome
from autoscaler.replay.recordings import journal_trace, read_recording
from autoscaler.replay.report import shown
from autoscaler.replay.worlds import SIZES, stage
from autoscaler.sim.example import example_scenario
from autoscaler.sim.scenario import Faults
from autoscaler.sim.traces import native, read_trace
from autoscaler.sim.traces.made_up import make_up

BALANCED = load_policy(ready_policy("balanced"))
PLANETLAB = Path(__file__).parents[3] / "policies" / "planetlab"
TRACES = Path(__file__).parents[4] / "shared" / "traces"
HOURS = 3


def made(kind="services", shape="diurnal", subjects=2, hours=HOURS):
    return make_up(shape, kind, subjects, hours / 24, 60.0, 6.0, seed=5)


def replayed(trace, policy=BALANCED):
    return replay(trace, policy, stage(trace, None, 1), TOOLBOX, seed=1)


class TestTheSameController:
    def test_a_runs_journal_replayed_gives_the_same_decisions(self, tmp_path):
        world = replace(example_scenario(), faults=Faults())
        granted = []

        def watch(now, event, commands):
            audits = [command.audit for command in commands if isinstance(command, Record)]
            granted.extend(
                (audit.decision.at, str(p.action), p.key) for audit in audits for p in audit.decision.granted
            )

        with assemble(Engine(TOOLBOX), BALANCED, world, directory=tmp_path, ticks=240, watchers=(watch,)) as controller:
            controller.run()
            cost = controller.cluster.world.score.cost
        trace = journal_trace(tmp_path / "journal.sqlite")
        outcome = replay(trace, BALANCED, stage(trace, world, world.seed), TOOLBOX, seed=world.seed)
        assert len(granted) > 20
        assert [(h.at, h.what, h.about) for h in outcome.timeline.happenings if h.what != "alert"] == granted
        assert outcome.score["cost"] == pytest.approx(cost, rel=1e-9)
        assert read_recording(str(tmp_path)).subjects == trace.subjects

    def test_twice_is_the_same_to_the_byte(self):
        first, again = (json.dumps(replayed(made()).document()) for _ in range(2))
        assert first == again

    def test_ctrl_c_gives_what_was_replayed_until_then(self):
        def interrupt(done):
            if done == 10:
                raise KeyboardInterrupt

        trace = made()
        outcome = replay(trace, BALANCED, stage(trace, None, 1), TOOLBOX, seed=1, progress=interrupt)
        assert not outcome.complete
        assert outcome.score["simulated_s"] == 9 * 60.0


def interrupted_at(title, tick, job):
    """The same job, during whose `tick` somebody presses Ctrl-C."""

    def run(progress):
        def advance(done):
            if done == tick:
                signal.raise_signal(signal.SIGINT)
            progress(done)

        return job.run(advance)

    return Job(title, job.ticks, run)


class TestCtrlC:
    @pytest.fixture
    def three(self):
        return jobs([made(hours=1)], [BALANCED], Setting(None, 1), TOOLBOX) * 3

    def test_the_replay_under_way_ends_between_two_ticks_and_the_next_are_left_out(self, three, capsys):
        first, second, third = three
        outcomes, whole = carry_out([first, interrupted_at("second", 30, second), third])
        assert not whole
        assert [(one.complete, len(one.timeline.at)) for one in outcomes] == [(True, 60), (False, 30)]
        assert "interrupted; figures and report cover what was replayed until then" in capsys.readouterr().err

    def test_a_replay_that_has_no_part_is_left_out_and_those_before_are_kept(self, three):
        def cut_short(progress):
            raise KeyboardInterrupt

        outcomes, whole = carry_out([three[0], Job("cut short", 1, cut_short), three[2]])
        assert (len(outcomes), whole) == (1, False)

    def test_afterwards_ctrl_c_means_what_it_meant_before(self, three):
        before = signal.getsignal(signal.SIGINT)
        carry_out([interrupted_at("only", 1, three[0])])
        assert signal.getsignal(signal.SIGINT) is before


class TestScore:
    def test_its_figures_are_known_before_it_is_there(self):
        assert tuple(replayed(made(hours=1)).score) == figures(None)

    def test_services_scale_with_recorded_demand(self):
        score = replayed(made(hours=8)).score
        assert score["scale_out"] + score["scale_in"] > 0
        assert score["unserved_fraction"] < 0.01
        assert score["esv"] == score["energy_kwh"] * score["slatah"] * score["pdm"]

    def test_app_vms_use_the_memory_that_was_recorded(self):
        trace = made("app_vms")
        trace = replace(trace, memory_bytes=np.full(trace.cores.shape, 123e6))
        scene = stage(trace, None, 1)
        seen = []
        outcome = replay(trace, hold_policy(BALANCED), scene, TOOLBOX, seed=1, progress=seen.append)
        assert seen[-1] == HOURS * 60
        assert outcome.score["migrations"] == 0
        assert scene.demand.memory_bytes(trace.start_at).tolist() == [123e6] * 2

    def test_hold_at_peak_serves_everything_and_nobody_undercuts_the_bound(self):
        for kind in ("services", "app_vms"):
            trace = made(kind, hours=4)
            scene = stage(trace, None, 1)
            hold = replay(trace, hold_policy(BALANCED), scene, TOOLBOX, seed=1).score
            bound = clairvoyant(trace, scene, 1).score["cost"]
            assert hold["unserved_fraction"] == 0
            assert 0 < bound <= replay(trace, BALANCED, scene, TOOLBOX, seed=1).score["cost"]
            assert bound <= hold["cost"]

    def test_the_bounds_prices_never_ask_more_of_a_size_than_it_costs(self):
        corners = vertices(SIZES)
        offers = np.array([[size.cores, size.memory_bytes] for size in SIZES])
        prices = np.array([size.price_per_hour for size in SIZES])
        assert (offers @ corners.T <= prices[:, None] * (1 + 1e-9)).all()
        assert (corners @ np.array([10.0, 40 * 2.0**30])).max() > 0


@pytest.mark.skipif(not TRACES.is_dir(), reason="the recorded traces are not on this machine")
def test_the_report_shows_the_world_cups_first_match_day_and_that_replicas_followed():
    whole = read_trace(TRACES / "worldcup98-to-0623.csv.gz").in_cores(16.0)
    eve = datetime(1998, 6, 9, tzinfo=UTC).timestamp()
    first = round((eve - whole.start_at) / whole.step_s)
    outcome = replayed(whole.between(first, first + 2 * 24 * 60), load_policy(ready_policy("replicas-only")))
    line = shown(outcome)["line"]
    at, demand = np.array(line["at"]), np.array(line["demand_cores"])
    kick_off = eve + 39.5 * 3600  # 10 June, 17:30 in Paris
    assert abs(at[demand.argmax()] - kick_off) < 2.5 * 3600
    assert demand.max() > 4 * demand[at < eve + 86_400].max()
    added = [mark["at"] for mark in line["happenings"] if mark["what"] == "scale_out"]
    assert sum(eve + 86_400 <= one < kick_off + 2 * 3600 for one in added) >= 5
    assert outcome.score["unserved_fraction"] < 0.001


class TestGate:
    OLD = Outcome("old", "t", 1, {"cost": 100.0, "unserved_fraction": 0.01})

    def verdict(self, cost, unserved, expression):
        new = Outcome("new", "t", 1, {"cost": cost, "unserved_fraction": unserved})
        return judge([new], [self.OLD], expression)[0]

    def test_worse_fails_and_names_the_figures(self):
        expression = "cost > 1.02 * baseline.cost || unserved > baseline.unserved"
        assert not self.verdict(101.0, 0.01, expression).failed
        worse = self.verdict(103.0, 0.01, expression)
        assert worse.failed
        assert dict(worse.figures) == {
            "cost": 103.0,
            "unserved": 0.01,
            "baseline.cost": 100.0,
            "baseline.unserved": 0.01,
        }
        assert self.verdict(90.0, 0.02, expression).failed

    def test_whole_numbers_are_numbers(self):
        assert self.verdict(103.0, 0.01, "cost > baseline.cost + 2 && cost < 1e3").failed
        assert not self.verdict(103.0, 0.01, "cost > baseline.cost + 3").failed

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("cots > 1.0", "names 'cots', which is no figure; nearest: cost"),
            ("cost > baseline.cots", "names 'baseline.cots', which is no figure; nearest: baseline.cost"),
            ("cost", "not true or false"),
            ("cost > ", "is not a CEL expression: .*Syntax error"),
        ],
    )
    def test_a_wrong_expression_is_refused_before_there_is_a_score(self, text, told):
        with pytest.raises(UsageError, match=told) as early:
            check(text, ("cost", "unserved_fraction"))
        with pytest.raises(UsageError) as late:
            self.verdict(1.0, 0.0, text)
        assert str(early.value) == str(late.value)


CLOUDSIM = ("--world", "cloudsim")


class TestCommand:
    @pytest.fixture
    def load(self, tmp_path):
        native.write(made(hours=2), tmp_path / "load.parquet")
        return str(tmp_path / "load.parquet")

    def test_json_twice_and_the_gate(self, load, capsys):
        call = ["replay", "-t", load, "-p", "balanced", "--json", "--baseline", "hold", "--fail-if"]
        assert ended([*call, "cost > baseline.cost"]) == 0
        first = capsys.readouterr().out
        assert ended([*call, "cost > baseline.cost"]) == 0
        assert capsys.readouterr().out == first
        document = json.loads(first)
        assert document["results"][0].keys() == {"policy", "trace", "seed", "score"}
        assert {"energy_kwh", "migrations", "slatah", "pdm", "slav", "esv", "cost", "unserved_fraction"} <= set(
            document["results"][0]["score"]
        )
        assert ended([*call, "cost < baseline.cost"]) == 1
        assert json.loads(capsys.readouterr().out)["gate"][0]["failed"]

    @pytest.fixture
    def day(self, tmp_path):
        """Eight app VMs of a made-up PlanetLab day, two of each type."""
        luck = np.random.Generator(np.random.PCG64(3))
        folder = tmp_path / "day"
        folder.mkdir()
        for number in range(8):
            (folder / f"app{number}").write_text("\n".join(map(str, luck.integers(1, 60, 288))))
        return str(folder)

    def test_the_experiment_twice_and_shuffled(self, day, capsys):
        lr = str(PLANETLAB / "lr-mmt.yaml")
        call = [
            "replay",
            "--world",
            "cloudsim",
            "-t",
            day,
            "-p",
            lr,
            "-p",
            str(PLANETLAB / "npa.yaml"),
            "--hosts",
            "8",
            "--json",
        ]
        assert ended(call) == 0
        first = capsys.readouterr().out
        assert ended(call) == 0
        assert capsys.readouterr().out == first
        results = json.loads(first)["results"]
        assert [result["policy"] for result in results] == ["lr-mmt", "npa"]
        assert tuple(results[0]["score"]) == figures("cloudsim")
        assert {"energy_kwh", "migrations", "slatah", "pdm", "slav", "esv", "cost", "unserved_fraction"} <= set(
            results[0]["score"]
        )
        assert results[1]["score"]["energy_kwh"] == pytest.approx(86100.1 * 4 * (117 + 135) / 3.6e6)
        assert ended([*call, "--shuffle", "1", "--shuffle", "2"]) == 0
        shuffled = json.loads(capsys.readouterr().out)["results"]
        assert [result["seed"] for result in shuffled] == [1, 1, 2, 2]

    def test_the_experiments_report_has_curves_and_its_score_is_the_same(self, day, tmp_path, capsys):
        call = ["replay", *CLOUDSIM, "-t", day, "-p", "lr-mmt", "-p", "npa", "--hosts", "8", "--json"]
        assert ended(call) == 0
        without = capsys.readouterr().out
        assert ended([*call, "--report", str(tmp_path / "r.html")]) == 0
        assert capsys.readouterr().out == without
        content = (tmp_path / "r.html").read_text().partition('type="application/json">')[2].partition("</script>")[0]
        moving, still = (outcome["line"] for outcome in json.loads(content))
        assert len(moving["at"]) == 287
        assert set(map(sum, ([count for count in hosted if count > 0] for hosted in moving["hosted"]))) == {8}
        assert max(still["price_per_hour"]) == min(still["price_per_hour"]) == pytest.approx(4 * 0.252 * 0.1)
        assert sum(moving["capacity_cores"]) <= sum(still["capacity_cores"])
        served = np.array(moving["demand_cores"]) - moving["unserved_cores"]
        assert (served <= np.array(moving["capacity_cores"]) + 1e-5).all()

    def test_the_honest_world_removes_nobody_and_goes_through_the_engine(self, day, capsys):
        call = [
            "replay",
            "--world",
            "planetlab",
            "-t",
            day,
            "-p",
            str(PLANETLAB / "lr-mmt.yaml"),
            "--hours",
            "6",
            "--json",
        ]
        assert ended(call) == 0
        score = json.loads(capsys.readouterr().out)["results"][0]["score"]
        assert score["migrations"] > 0
        assert score["cloud_vm_releases"] > 0
        assert score["energy_kwh"] > 6 * 0.086

    def test_a_table_with_baselines(self, load, capsys):
        assert ended(["replay", "-t", load, "-p", "balanced", "--baselines"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines] == ["policy", "balanced", "hold", "clairvoyant"]

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (["-t", "no-such-file", "-p", "balanced"], "there is no such file or folder"),
            (["-t", "LOAD", "-p", "balanced", "--skip", "99"], "has only 2 hours"),
            (["-t", "LOAD", "-p", "balanced", "--fail-if", "cost > 1.0"], "go together"),
            (["-t", "LOAD", "-p", "balanced", "--world", "cloudsim"], "replays days of 288 samples"),
            (["-t", "LOAD", "-p", "balanced", "--shuffle", "1"], "other worlds have none"),
            (
                ["-t", "LOAD", "-p", "lr-mmt", "--world", "cloudsim", "--baselines"],
                "compare with the policies npa and dvfs",
            ),
            (["-t", "LOAD", "-p", "lr-mmt"], "no ready policy is called"),
            (["-t", "LOAD", "-p", "balanced", "--report", "/nowhere/at/all.html"], "cannot write the report"),
            (["-t", "LOAD", "-p", "balanced", "--report", "/"], "it is a directory"),
            (["-t", "LOAD", "-p", "balanced", "--baseline", "holt", "--fail-if", "cost > 1"], "nearest: hold"),
            (["-t", "LOAD", "-p", "balanced", "--baseline", "hold", "--fail-if", "coost > 1"], "nearest: cost"),
            (["-t", "LOAD", "-p", "lr-mmt", "--baseline", "npa", "--fail-if", "flapping > 1", *CLOUDSIM], "no figure"),
        ],
    )
    def test_mistakes_end_in_one_line(self, load, arguments, told, capsys):
        assert ended(["replay", *(load if argument == "LOAD" else argument for argument in arguments)]) == 2
        error = capsys.readouterr().err.splitlines()
        assert told in error[-1]
        assert len(error) == 1  # nothing had been replayed

    def test_trace_generate_info_convert(self, tmp_path, capsys):
        made_up, converted = str(tmp_path / "a.parquet"), str(tmp_path / "a.csv")
        assert ended(["trace", "generate", made_up, "--shape", "flash", "--days", "1", "--subjects", "2"]) == 0
        assert ended(["trace", "convert", made_up, converted]) == 0
        capsys.readouterr()
        assert ended(["trace", "info", converted, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["layout"], told["subjects"], told["steps"], told["repairs"]) == ("native", 2, 288, {})
        assert ended(["trace", "info", converted]) == 0
        assert "2 services" in capsys.readouterr().out
        assert ended(["trace", "generate", str(Path(made_up).with_suffix(".xls"))]) == 2
