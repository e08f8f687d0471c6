"""A transfer that failed says what stopped it."""

from __future__ import annotations

from autoscaler.lab.transfer import SHOWN_LINES, failure


def test_a_hypervisor_without_shadow_paging_is_named_with_what_to_do() -> None:
    assert "--hypervisor rebuild" in failure(
        ["begin", "xc: error: Failed to enable logdirty: 95,22,0", "Migration failed"]
    )


def test_otherwise_the_toolstacks_last_lines_without_its_debugging() -> None:
    said = [f"line {n}" for n in range(20)] + ["libxl: debug: chatter"]
    assert failure(said).splitlines()[1:] == [f"line {n}" for n in range(20 - SHOWN_LINES, 20)]
