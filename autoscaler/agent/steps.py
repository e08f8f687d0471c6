"""Steps: kept before they begin, carried out one at a time per app VM, taken up again after the agent's death.

Separate because the promise is one for all kinds: the same id is the same step for ever, whatever is submitted with it. What
a kind does stands in deeds.py.
"""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import replace

from autoscaler.agent.deeds import DEEDS, Bench, Transfer
from autoscaler.agent.descriptions import StepReport, StepRequest, check_step_id, read_step_report, read_step_request
from autoscaler.agent.store import Shelf, one_of
from autoscaler.agent.wire import plain
from autoscaler.errors import ActuationError, UsageError

ENDED_MOST = 2000  # remembered after their end: callers forget their own, those who do not must not fill the disk
UNENDED_MOST = 500
IMPATIENT = ("kill",)  # does not wait for a step on the same app VM, unless that must not be disturbed
UNDISTURBED = ("start", "save", "restore", "migrate")


class Steps:
    """All steps of this agent, by id, oldest first."""

    def __init__(self, bench: Bench, shelf: Shelf) -> None:
        self._bench, self._shelf = bench, shelf
        self._requests: dict[str, StepRequest] = {}
        self._reports: dict[str, StepReport] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._at_work: dict[str, str] = {}  # app VM -> kind of the step that holds it
        for step, kept in shelf.all(bench.keeper.logs.say).items():
            self._requests[step] = read_step_request(kept["request"])
            self._reports[step] = read_step_report(kept["report"])

    def take_up(self) -> None:
        """Go on with what an earlier agent had begun."""
        for step, report in self._reports.items():
            if report.outcome == "running":
                self._begin(step)

    def submit(self, step: str, request: StepRequest) -> StepReport:
        """Kept and begun, unless it is known already: then only answered."""
        check_step_id(step)
        if step in self._reports:
            return self._reports[step]
        if sum(report.outcome == "running" for report in self._reports.values()) >= UNENDED_MOST:
            raise ActuationError(f"{UNENDED_MOST} steps are under way: come back when some have ended", temporary=True)
        self._requests[step] = request
        self._keep(StepReport(step, "running"))
        self._make_room()
        self._begin(step)
        return self._reports[step]

    def report(self, step: str) -> StepReport:
        found: StepReport = one_of("step", step, self._reports)
        return found

    def all(self, *, ended_only: bool = False) -> list[StepReport]:
        return [report for report in self._reports.values() if not ended_only or report.outcome != "running"]

    def forget(self, step: str) -> None:
        """Raises UsageError while it is under way: it would be begun again under the same id."""
        if self.report(step).outcome == "running":
            raise UsageError(f"step {step!r} is under way: it can be forgotten when it has ended")
        self._drop(step)

    @property
    def under_way(self) -> int:
        return len(self._tasks)

    async def rest(self) -> None:
        """Stop working; what is under way is taken up by the next agent."""
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _begin(self, step: str) -> None:
        task = asyncio.get_running_loop().create_task(self._carry_out(step), name=step)
        self._tasks[step] = task
        task.add_done_callback(lambda _: self._tasks.pop(step, None))

    async def _carry_out(self, step: str) -> None:
        request = self._requests[step]
        uuid = request.subject
        if request.kind in IMPATIENT and self._at_work.get(uuid) not in UNDISTURBED:
            self._keep(await self._tried(step, request))
            return
        async with self._bench.keeper.lock(uuid):
            self._at_work[uuid] = request.kind
            try:
                self._keep(await self._tried(step, request))
            finally:
                del self._at_work[uuid]

    async def _tried(self, step: str, request: StepRequest) -> StepReport:
        try:
            came_to = await DEEDS[request.kind](self._bench, step, request)
        except ActuationError as error:
            return StepReport(step, "failed", str(error), temporary=error.temporary)
        except UsageError as error:
            return StepReport(step, "failed", str(error))
        except Exception as error:  # noqa: BLE001  a defect of ours must end the step, not the agent
            self._bench.keeper.logs.say(f"step {step}: {traceback.format_exc()}")
            return StepReport(step, "failed", f"a defect in the agent: {type(error).__name__}: {error}")
        return _done(step, came_to)

    def _keep(self, report: StepReport) -> None:
        kept = {"request": plain(self._requests[report.id]), "report": plain(report)}
        self._shelf.keep(report.id, kept)
        self._reports[report.id] = report

    def _make_room(self) -> None:
        ended = [report.id for report in self._reports.values() if report.outcome != "running"]
        for step in ended[: max(0, len(ended) - ENDED_MOST)]:
            self._drop(step)

    def _drop(self, step: str) -> None:
        self._shelf.drop(step)
        del self._reports[step], self._requests[step]


def _done(step: str, came_to: Transfer | None) -> StepReport:
    done = StepReport(step, "done")
    if came_to is None:
        return done
    return replace(
        done,
        total_s=came_to.total_s,
        downtime_s=came_to.downtime_s,
        sent_bytes=came_to.sent_bytes,
        phases=dict(came_to.phases),
    )
