"""`flexcapsule tune`: the best numbers for a policy on recorded load, judged on load that came later. Wiring and printing only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autoscaler.cli import tune_output
from autoscaler.cli.options import AsJson

if TYPE_CHECKING:
    from autoscaler.policylang.numbers import Written
    from autoscaler.tune.evidence import Evidence
    from autoscaler.tune.hands import Hands
    from autoscaler.tune.scoring import Ground
    from autoscaler.tune.session import Session
    from autoscaler.tune.space import Dimension

Loads = Annotated[
    list[Path] | None, typer.Option("--trace", "-t", metavar="PATH", help="Recorded load; may be repeated.")
]
PolicyToTune = Annotated[str, typer.Option("--policy", "-p", metavar="NAME|FILE", help="The policy to begin with.")]
World = Annotated[
    str | None,
    typer.Option("--world", metavar="NAME|FILE", help="As for replay (not cloudsim): else made to fit the trace."),
]
Search = Annotated[
    list[str],
    typer.Option(
        "--search",
        metavar="NAME[=LOW..HIGH]",
        help="Tune this number, and no others than named; may be repeated. Else the strategy's own (--numbers).",
    ),
]
Unserved = Annotated[
    str, typer.Option("--unserved", metavar="SHARE", help="The most demand that the winner may leave unserved.")
]
Storage = Annotated[
    Path | None,
    typer.Option("--storage", metavar="FILE", help="Where trials are kept; ./NAME.tune unless given; `none`: nowhere."),
]
Scheduler = Annotated[
    str | None, typer.Option("--scheduler", metavar="ADDRESS", help="Of a Dask cluster, like tcp://10.0.0.5:8786.")
]
Jobs = Annotated[
    int | None, typer.Option("--jobs", "-j", min=1, help="Processes on this machine; one per core unless given.")
]
Ahead = Annotated[
    int,
    typer.Option("--ahead", min=1, max=1000, help="Trials under way at most; unlike --jobs part of what comes out."),
]
Plot = Annotated[Path | None, typer.Option("--plot", metavar="FILE.svg", help="Draw all trials of the last fold.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE.yaml", help="Write the winner as a policy.")]
NOWHERE = Path("none")
MONEYLESS = "cloudsim"


def tune(
    policy: PolicyToTune,
    trace: Loads = None,
    trials: Annotated[int, typer.Option("--trials", "-n", min=1, help="How many, over all folds.")] = 50,
    search: Search = [],  # noqa: B006  typer's way to say: none
    numbers: Annotated[
        bool, typer.Option("--numbers", help="List what may be tuned, and how far; do nothing.")
    ] = False,
    folds: Annotated[int, typer.Option("--folds", min=1, max=20, help="How often judged on later load.")] = 3,
    unserved: Unserved = "0.1%",
    world: World = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of what is tried, and of the world's chance.")] = 1,
    skip: Annotated[float, typer.Option("--skip", min=0.0, help="Leave out so many hours of each trace.")] = 0.0,
    hours: Annotated[float | None, typer.Option("--hours", min=0.01, help="Use only so many.")] = None,
    peak_cores: Annotated[
        float, typer.Option("--peak-cores", min=0.01, help="What the peak of a load in other units asks for.")
    ] = 16.0,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    ahead: Ahead = 8,
    storage: Storage = None,
    out: Out = None,
    plot: Plot = None,
    json: AsJson = False,
) -> None:
    """Find better numbers for a policy on recorded load, and say how much better they are on load that came later.

    The trace is cut into blocks of time. In fold 1 the numbers are tuned on block 1 and judged on block 2, in fold 2
    tuned on 1 and 2 and judged on 3, and so on: nothing is judged on what it was tuned on. Each trial is one `replay`
    with other numbers; three figures are made small at once: cost, demand unserved, migrations. The winner is the
    cheapest that leaves at most --unserved of the demand; of those within 1 % of it, the one that moves least.

    The same seed gives the same trials and winner, however many --jobs, on a cluster or here, interrupted or not:
    Ctrl-C keeps what was scored, and the same call goes on from there; with more --trials it goes on further.

    \b
    Examples:
      flexcapsule tune -p balanced --numbers
      flexcapsule tune -t week.parquet -p balanced -n 60 --out tuned.yaml --plot tuned.svg
      flexcapsule tune -t week.parquet -p optimal --search hurdle=1..10 --search limits.worth_it.k
      flexcapsule tune -t year.parquet -p mine.yaml -n 500 --scheduler tcp://10.0.0.5:8786 --ahead 64
    """
    written = _written(policy)
    if numbers:
        tune_output.list_numbers(written)
        return
    hands = _asked_hands(scheduler, jobs, ahead)
    _refuse_to_overwrite(policy, out)
    ground = _ground(trace or [], world, seed, (skip, hours, peak_cores))
    session = _session(written, ground, search, (trials, folds, seed, ahead, unserved), world)
    found = _tuned(session, ground, hands, storage)
    tune_output.write(found, out, plot)
    tune_output.show(found, json=json, out=out)


def _written(policy: str) -> Written:
    from autoscaler import registry
    from autoscaler.cli.loading import load_policy
    from autoscaler.config import resolve_policy
    from autoscaler.policylang.numbers import read_numbers

    path = resolve_policy(policy)
    load_policy(path)
    return read_numbers(path.read_text(encoding="utf-8"), str(path), registry.strategy_types())


def _refuse_to_overwrite(policy: str, out: Path | None) -> None:
    from autoscaler.config import resolve_policy
    from autoscaler.errors import UsageError

    if out is not None and out.exists() and resolve_policy(policy).samefile(out):
        raise UsageError(f"--out {out} is the policy that is tuned; name another file")


def _ground(traces: Sequence[Path], world: str | None, seed: int, part: tuple[float, float | None, float]) -> Ground:
    from autoscaler.cli.loads import cut, read_loads, world_of
    from autoscaler.errors import UsageError
    from autoscaler.replay.batch import Setting
    from autoscaler.tune.scoring import Ground

    if not traces:
        raise UsageError("tune needs recorded load: --trace PATH (`flexcapsule trace generate` makes some up)")
    if world == MONEYLESS:
        raise UsageError(
            f"--world {world} knows no prices, so that nothing there is cheap; use planetlab, or a world file"
        )
    skip, hours, peak_cores = part
    setting = Setting(world_of(world), seed, (), peak_cores)
    return Ground(tuple(cut(one.in_cores(peak_cores), skip, hours) for one in read_loads(traces)), setting)


def _session(
    written: Written,
    ground: Ground,
    search: Sequence[str],
    asked: tuple[int, int, int, int, str],
    world: str | None,
) -> Session:
    from autoscaler.tune.folds import refuse_short
    from autoscaler.tune.session import Session, identity

    trials, folds, seed, ahead, unserved = asked
    space = _space(written, search)
    every_s = next(number.value for number in written.numbers if number.name == "every") or 60.0
    refuse_short(ground.traces, folds, every_s)
    return Session(
        written=written,
        space=space,
        seed=seed,
        trials=trials,
        folds=folds,
        ahead=ahead,
        most_unserved_fraction=_share(unserved),
        identity=identity(written, space, ground, (folds, seed, ahead, unserved), world),
    )


def _space(written: Written, search: Sequence[str]) -> tuple[Dimension, ...]:
    from autoscaler.errors import UsageError
    from autoscaler.tune.space import named, usual

    space = named(written, search) if search else usual(written)
    if not space:
        raise UsageError(
            f"policy {written.name}: its strategy declares no number with a range; name some with --search (--numbers lists them)"
        )
    return space


def _share(text: str) -> float:
    from pydantic_core import PydanticCustomError

    from autoscaler.errors import UsageError
    from autoscaler.policylang.units import SHARE, Quantity

    try:
        found = Quantity(SHARE, ge=0, le=1).read(float(text) if text.replace(".", "", 1).isdecimal() else text)
    except PydanticCustomError as error:
        raise UsageError(f"--unserved {text}: {error}") from None
    assert found is not None
    return found


def _asked_hands(
    scheduler: str | None, jobs: int | None, ahead: int
) -> Callable[[Ground], AbstractContextManager[Hands]]:
    """Who shall do the work, once it is known what. Raises UsageError."""
    import os

    from autoscaler.errors import UsageError
    from autoscaler.tune import hands

    if scheduler is not None and jobs is not None:
        raise UsageError("--jobs is for this machine; a cluster has as many as its workers have threads")
    if jobs is not None and jobs > ahead:
        raise UsageError(
            f"--jobs {jobs}: only --ahead {ahead} trials are under way at once; give --ahead {jobs} or more"
        )
    if scheduler is not None:
        return lambda ground: hands.cluster(ground, scheduler)
    count = min(ahead, len(os.sched_getaffinity(0)) if jobs is None else jobs)
    return lambda ground: hands.local(ground, count)


def _tuned(
    session: Session,
    ground: Ground,
    asked: Callable[[Ground], AbstractContextManager[Hands]],
    storage: Path | None,
) -> Evidence:
    from autoscaler.tune import keeping, study
    from autoscaler.tune.evidence import Evidence

    path = None if storage == NOWHERE else Path(f"{session.written.name}.tune") if storage is None else storage
    with keeping.kept(path) as trials, tune_output.progress(session) as watch:
        try:
            with asked(ground) as hands:
                _warn_idle(session, hands)
                done = study.tune(session, hands, trials, watch)
                return Evidence(session, ground, done, study.judged(session, done, hands))
        except KeyboardInterrupt:
            kept = f"what was scored is kept in {path}; the same call goes on from there"
            kept = "nothing was kept, as --storage none asks for" if path is None else kept
            print(f"\nflexcapsule: interrupted; {kept}", file=sys.stderr)
            raise


def _warn_idle(session: Session, hands: Hands) -> None:
    if hands.count > session.ahead:
        print(
            f"flexcapsule: {hands.count} hands, but only --ahead {session.ahead} trials at once: some stay idle",
            file=sys.stderr,
        )
