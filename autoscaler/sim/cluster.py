"""The simulated cluster behind the loop's ports: `Source` and `Actuator` over one World, and its life across restarts.

Separate from the world so that the world knows nothing of events, commands and who listens. Translation only: no physics here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from autoscaler.core.events import Event, Execute, Observed, Undo
from autoscaler.core.model import AppVM, CloudVM
from autoscaler.core.steps import StepAction
from autoscaler.errors import SourceError
from autoscaler.sim.world import World

OnChange = Callable[[dict[str, Any]], None]


class SimulatedCluster:
    """Time is what the loop says it is. Event ids are left empty: the loop gives them.

    `on_change(state)` is called after every accepted step and whenever time has passed, before anything is handed out: what
    it writes down is never behind what the controller was told. The first read after construction is complete.
    """

    def __init__(self, world: World, *, on_change: OnChange | None = None) -> None:
        self.world = world
        self._on_change = on_change
        self._seen_cloud_vms: tuple[CloudVM, ...] | None = None
        self._seen_app_vms: tuple[AppVM, ...] | None = None
        self._complete = True

    def read(self, now: float) -> Iterable[Event]:
        """One observation, at `now` (or at the world's time, where that is later: it never goes back). Raises SourceError
        where the scenario has it silent."""
        self._advance(now)
        if self.world.silent:
            raise SourceError("the simulated cluster does not answer (faults.silent_probability)")
        world, estate = self.world, self.world.estate
        cloud_vms, app_vms = estate.clouds.identities, estate.apps.identities
        complete, self._complete = self._complete, False
        observed = Observed(
            at=world.now,
            placement=world.placement,
            sampled_at=world.sampled_at,
            samples=world.samples(),
            catalogue=world.scenario.catalogue if complete else None,
            cloud_vms=cloud_vms if complete or cloud_vms is not self._seen_cloud_vms else None,
            app_vms=app_vms if complete or app_vms is not self._seen_app_vms else None,
            services=world.services if complete else None,
        )
        self._seen_cloud_vms, self._seen_app_vms = cloud_vms, app_vms
        return (observed,)

    def read_completely(self) -> None:
        """Let the next read tell all identities again (a listener that starts anew on the same cluster)."""
        self._complete = True

    def submit(self, command: Execute | Undo, now: float) -> None:
        """Begin a step, or the way back of one; again = no more than once."""
        self._advance(now)
        if self.world.submit(*_step_of(command)):
            self._changed()

    def ended(self, now: float) -> Iterable[Event]:
        """Outcomes not reported yet, and those asked for again by submitting their step."""
        self._advance(now)
        return self.world.ended()

    def _advance(self, now: float) -> None:
        if self.world.advance(now):
            self._changed()

    def _changed(self) -> None:
        if self._on_change is not None:
            self._on_change(self.world.state())


def _step_of(command: Execute | Undo) -> tuple[str, StepAction]:
    if isinstance(command, Undo):
        return command.undo_id, command.action
    return command.step.id, command.step.action
