"""A preview is what the engine would do: the same wishes, guards and plan, by the same code, and nothing is remembered."""

from clusters import T0, app, cluster
from stories import FREE, Story, consolidate, did, toolbox

from autoscaler.core.events import Record
from autoscaler.telemetry.preview import planned


def seen(at=T0):
    return cluster({"X": [app("a", 300)], "Y": [app("b", 300)], "Z": [app("c", 900)]}, at=at)


def test_what_is_previewed_is_what_is_planned_next():
    story = Story(FREE)
    story.sees(seen())
    story.wishes.next = lambda _snapshot: (consolidate("X", "a>Z"), consolidate("Y", "b>Z"))
    before = story.state.decided_at, story.state.ledger, story.state.sagas
    _, _, foreseen = planned(story.state, toolbox(story.wishes))
    assert (story.state.decided_at, story.state.ledger, story.state.sagas) == before
    story.sees(seen(T0 + 60.0))
    made = next(c.audit.plan for c in reversed(story.commands) if isinstance(c, Record))
    assert foreseen is not None
    assert [did(step.action) for step in foreseen.steps] == [did(step.action) for step in made.steps]
    assert len(made.steps) == 6


def test_a_preview_plans_by_the_engines_own_rules_for_what_is_paused():
    story = Story(FREE)
    story.sees(seen())
    story.wishes.next = lambda _snapshot: (consolidate("X", "a>Z"), consolidate("Y", "b>Z"))
    story.says("pause", "Y", at=T0)
    _, _, foreseen = planned(story.state, toolbox(story.wishes))
    assert [did(step.action) for step in foreseen.steps] == ["cordon X", "migrate a X>Z", "release X"]
