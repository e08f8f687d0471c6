"""Records of handovers outlive their agent, change from a known state only, and one that a crash garbled stops nobody."""

from __future__ import annotations

import pytest

from autoscaler.agent.handover_records import Record, Records, handover_id
from autoscaler.agent.handover_rules import Leaving
from autoscaler.errors import ActuationError

RECORD = Record(handover_id("step 1"), "leaving", Leaving.PREPARED, "b09ea152-3e12-436a-a27a-b898bf672942", "cv2")


def test_what_was_noted_is_there_again(tmp_path) -> None:
    records = Records(tmp_path)
    noted = records.change(records.add(RECORD), state=Leaving.PERMITTED, peer_boot="boot")
    again = Records(tmp_path)
    assert again.all("leaving") == [noted]
    assert again.find("arriving", RECORD.id) is None
    again.forget(noted)
    assert Records(tmp_path).all("leaving") == []


def test_it_changes_from_the_state_that_the_caller_knows_only(tmp_path) -> None:
    records = Records(tmp_path)
    stale = records.add(RECORD)
    records.change(stale, state=Leaving.CANCELLED)
    with pytest.raises(ActuationError, match="became cancelled meanwhile"):
        records.change(stale, state=Leaving.PERMITTED)
    with pytest.raises(ActuationError, match="known already"):
        records.add(RECORD)


def test_a_garbled_record_is_set_aside(tmp_path) -> None:
    Records(tmp_path).add(RECORD)
    (tmp_path / "garbled.leaving.json").write_bytes(b'{"half": 1}{"of another file": 2}')
    assert [record.id for record in Records(tmp_path).all("leaving")] == [RECORD.id]
    assert (tmp_path / "garbled.leaving.unreadable").exists()


def test_a_record_of_another_version_is_not_guessed_at(tmp_path) -> None:
    (tmp_path / "x.leaving.json").write_text('{"format": 2}')
    with pytest.raises(ActuationError, match="another version"):
        Records(tmp_path)
