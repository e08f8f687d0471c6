"""Telling agents which cloud VMs will never run again, so that a handover which waits for one of them can be settled.

Separate because it is the one message that is about somebody else. By boot and not by name: a lab gives the name of a cloud VM
that is gone to the next one. Which boots there were is kept with the journal; who was told is not: telling twice is once.
"""

from __future__ import annotations

from autoscaler.adapters.agents.errands import Kept
from autoscaler.adapters.agents.look import Look
from autoscaler.errors import ActuationError


class Fencing:
    """Call `keep` after a look."""

    def __init__(self, look: Look, kept: Kept) -> None:
        self._look, self._kept = look, kept
        self._told: set[tuple[str, str]] = set()

    def keep(self) -> None:
        """Note who answers under which boot, and tell those who are there of those who are gone."""
        look = self._look
        for id_, answer in look.answers.items():
            if answer.report.boot_id:
                self._kept.note_boot(id_, look.rented[id_].agent, answer.report.boot_id)
        gone = [(agent, boot) for id_, (agent, boot) in self._kept.boots.items() if id_ not in look.rented]
        for id_ in look.answers:
            for agent, boot in gone:
                if (id_, boot) not in self._told:
                    self._tell(id_, agent, boot)

    def _tell(self, id_: str, agent: str, boot: str) -> None:
        try:
            self._look.agents.fence(self._look.rented[id_].address, agent, boot)
        except ActuationError as error:
            if error.temporary:
                return
        self._told.add((id_, boot))
