"""`flexcapsule run`: the controller."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autoscaler.cli import logs
from autoscaler.cli.options import AsJson, ConfigFile, JournalPlace, LogFormat, PolicyName
from autoscaler.cli.signals import handled
from autoscaler.core.policy import Mode

if TYPE_CHECKING:
    from autoscaler.cli.assembly import Controller
    from autoscaler.cli.narrate import Narrator
    from autoscaler.comparison import Difference
    from autoscaler.config import Config, Http
    from autoscaler.core.engine import Engine
    from autoscaler.core.policy import Policy
    from autoscaler.errors import FlexCapsuleError, SourceError
    from autoscaler.runtime import Watcher
    from autoscaler.sim.score import Score
    from autoscaler.telemetry.regret import Truth
    from autoscaler.telemetry.view import Beside, Observatory

DAY_S = 86400.0

Pace = Annotated[
    str | None, typer.Option("--pace", metavar="PACE", help="real, max (no waiting), or a factor such as 288x.")
]
Second = Annotated[
    str | None,
    typer.Option("--shadow-policy", metavar="NAME|FILE", help="A second policy that decides beside the first."),
]


def run(
    config: ConfigFile = None,
    policy: PolicyName = None,
    shadow_policy: Second = None,
    mode: Annotated[Mode, typer.Option("--mode", help="shadow decides and records, and acts on nothing.")] = Mode.LIVE,
    pace: Pace = None,
    ticks: Annotated[int | None, typer.Option("--ticks", min=1, help="End by itself after so many.")] = None,
    journal: JournalPlace = None,
    log_format: LogFormat = None,
    json: AsJson = False,
) -> None:
    """Run the controller until Ctrl-C, SIGTERM, or --ticks; the next run goes on from its journal.

    Metrics and API are served on http.host and http.port of the config. SIGHUP and any change of the policy file read the
    policy again; an invalid one is refused and the old one stays.

    With --pace max it does not wait: nothing is served, and nothing is kept unless --journal says where.

    \b
    Examples:
      flexcapsule run
      flexcapsule run --policy mine.yaml --mode shadow
      flexcapsule run --shadow-policy mine.yaml
      flexcapsule run --pace max --ticks 1440 --json
    """
    asked = _asked(config, policy, shadow_policy, pace, journal)
    form = log_format.value if log_format is not None else asked.config.log.format
    logs.configure(form, asked.config.log.level)
    _run(replace(asked, mode=mode, ticks=ticks, json=json, log_format=form))


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line and the config come to. `directory` None: nothing is kept."""

    config: Config
    policy: Path
    second: Path | None
    pace: float
    directory: Path | None
    mode: Mode = Mode.LIVE
    ticks: int | None = None
    json: bool = False
    log_format: str = "auto"

    @property
    def serves(self) -> bool:
        """A run that does not wait is over before anybody could ask it anything."""
        return math.isfinite(self.pace)


def _asked(
    config: Path | None, policy: str | None, second: str | None, pace: str | None, journal: Path | None
) -> Asked:
    from pydantic_core import PydanticCustomError

    from autoscaler.config import parse_pace, read_config, resolve_policy
    from autoscaler.errors import UsageError

    settings = read_config(config)
    try:
        speed = settings.pace if pace is None else parse_pace(pace)
        if settings.cluster.live is not None:
            speed = _real(pace)
    except PydanticCustomError as error:
        raise UsageError(f"--pace: {error.message()}") from None
    kept = Path(settings.journal.directory) if math.isfinite(speed) else None
    second_name = settings.shadow_policy if second is None else str(resolve_policy(second))
    return Asked(
        config=settings,
        policy=Path(settings.policy) if policy is None else resolve_policy(policy),
        second=None if second_name is None else Path(second_name),
        pace=speed,
        directory=journal or kept,
    )


def _real(pace: str | None) -> float:
    """A real cluster lives as fast as it does."""
    from autoscaler.errors import UsageError

    if pace is not None:
        raise UsageError("--pace is for simulated clusters, and this config describes a live one; leave it out")
    return 1.0


def _run(asked: Asked) -> None:
    from autoscaler.cli import show, summary

    with ExitStack() as opened:
        running = _Running(asked, opened)
        with handled(running.controller.stop, running.reload):
            running.controller.run()
        document = summary.summary(running.controller, running.differences)
    if asked.json:
        show.print_json(document)
    else:
        show.print_lines(["", *summary.lines(document)])


class _Running:
    """A controller with all that stands around it: who watches, who serves, and who looks at the policy's file."""

    def __init__(self, asked: Asked, opened: ExitStack) -> None:
        from autoscaler.adapters.policy_file import PolicyFile
        from autoscaler.cli import assembly
        from autoscaler.cli.beside import Differences
        from autoscaler.cli.loading import TOOLBOX, load_policy
        from autoscaler.cli.narrate import Narrator
        from autoscaler.core.engine import Engine
        from autoscaler.telemetry.view import Observatory

        policy, engine = load_policy(asked.policy), Engine(TOOLBOX)
        quiet = asked.json or asked.log_format == "json" or self._chronicles(asked)
        narrator = None if quiet else Narrator(self._score)
        second = None if asked.second is None else load_policy(asked.second)
        shown = _untold if narrator is None else narrator.differs
        self.differences = None if second is None else Differences(second.name, shown)
        self.observatory = Observatory(
            engine,
            mode=assembly.mode_of(asked.mode, policy),
            score=self._score,
            beside=self._beside,
            pulse=lambda: self.controller.loop.pulse,
            truth=self._truth,
            on_unjudged=lambda reason: logs.log().warning("an hour could not be judged", reason=reason),
        )
        self.file = PolicyFile(asked.policy, policy, load_policy, self._adopt, self._refuse)
        self.controller = opened.enter_context(self._assembled(asked, engine, policy, second, narrator))
        self._log_start(asked, policy)
        if asked.serves:
            opened.enter_context(_server(asked.config.http, self.controller, self.observatory, asked.directory))
        if narrator is not None:
            opened.enter_context(narrator)

    def _assembled(
        self, asked: Asked, engine: Engine, policy: Policy, second: Policy | None, narrator: Narrator | None
    ) -> Controller:
        from autoscaler.adapters.journal import Retention
        from autoscaler.cli import assembly
        from autoscaler.cli.loading import TOOLBOX
        from autoscaler.config import world_of
        from autoscaler.core.engine import Engine
        from autoscaler.telemetry.view import ObservedClock

        beside = None
        if second is not None and self.differences is not None:
            beside = assembly.Second(Engine(TOOLBOX), second, self.differences)
        return assembly.assemble(
            engine,
            policy,
            asked.config.cluster.live or world_of(asked.config),
            directory=asked.directory,
            retention=Retention(asked.config.journal.keep_s / DAY_S, int(asked.config.journal.size_bytes)),
            mode=asked.mode,
            every_s=asked.config.tick_s,
            pace=asked.pace,
            ticks=asked.ticks,
            second=beside,
            watchers=self._watchers(asked, narrator),
            on_source_error=self._silent,
            notice=lambda text: logs.log().warning(text),
            watch_clock=lambda clock: ObservedClock(clock, self.observatory, self.file.look),
        )

    def reload(self) -> None:
        """Read the policy's file again, at once. Safe in a signal handler."""
        self.file.ask()
        self.controller.clock.wake()

    def _watchers(self, asked: Asked, narrator: Narrator | None) -> Iterator[Watcher]:
        """A run that serves nothing is not measured."""
        from autoscaler.cli.chronicle import Chronicle

        if asked.serves:
            yield from self.observatory.watchers
        if self._chronicles(asked):
            yield Chronicle()
        if narrator is not None:
            yield narrator

    @staticmethod
    def _chronicles(asked: Asked) -> bool:
        """Whether decisions are told in the log, for machines; ids of a run that is not kept lead nowhere."""
        return asked.directory is not None and logs.machines(asked.log_format)

    def _truth(self) -> Truth | None:
        from autoscaler.telemetry.regret import Truth

        world = self.controller.world
        if world is None:
            return None
        wanted = world.demand.at(world.now).tolist()
        return Truth(dict(zip(world.demand.subjects, wanted, strict=True)), world.score.unserved_core_s)

    def _score(self) -> Score | None:
        return self.controller.score

    def _beside(self) -> Beside | None:
        comparison = self.controller.comparison
        return None if comparison is None or self.differences is None else self.differences.view(comparison)

    def _adopt(self, policy: Policy) -> None:
        self.controller.adopt(policy)
        self.observatory.reloads.labels("adopted").inc()
        logs.log().info("policy file changed: adopted", policy=policy.name, digest=policy.digest[:12])

    def _refuse(self, error: FlexCapsuleError) -> None:
        self.observatory.reloads.labels("refused").inc()
        logs.log().error("policy file changed: REFUSED, the old policy stays", reason=str(error))

    def _silent(self, now: float, error: SourceError) -> None:
        self.observatory.silent(now, error)
        logs.log().warning("the cluster could not be observed", reason=str(error))

    def _log_start(self, asked: Asked, policy: Policy) -> None:
        journal = str(asked.directory) if asked.directory else "none"
        logs.log().info("started", mode=str(self.controller.mode), policy=policy.name, journal=journal)
        if self.controller.engine.state.history.at is not None:
            logs.log().info("goes on from the journal", decisions=self.controller.engine.state.totals.decisions)


def _untold(difference: Difference) -> None:
    """With --json only the totals are told."""


@contextmanager
def _server(http: Http, controller: Controller, observatory: Observatory, directory: Path | None) -> Iterator[None]:
    """Metrics and API, while the run goes on."""
    from autoscaler.adapters.decisions import JournalReader
    from autoscaler.cli import assembly
    from autoscaler.cli.loading import TOOLBOX
    from autoscaler.telemetry import server, token
    from autoscaler.telemetry.http import Desk, application

    assert directory is not None, "a run that serves is kept"
    listener = server.bind(http.host, http.port)
    desk = Desk(
        observatory=observatory,
        archive=JournalReader(assembly.journal_file(directory)),
        toolbox=TOOLBOX,
        say=controller.inbox.say,
        token=token.read_or_make(Path(http.token_file)),
        hosts=server.hosts(http.host),
    )
    with server.Server(application(desk), listener) as served:
        logs.log().info("serving", metrics=f"{served.url}/metrics")
        yield
