"""App VMs' lives as callers of the API see them, over a hypervisor in memory."""

from __future__ import annotations

from hashlib import sha256

import pytest
from agent_caller import DIGEST, IMAGE, UUID, spec

from autoscaler.agent.hypervisor import Halt
from autoscaler.errors import ActuationError

OTHER = "6f2d1c1e-0000-4000-8000-000000000002"
MIB = 1 << 20


def test_an_app_vm_is_started_seen_and_stopped(agent):
    assert agent.start() == {
        "id": "start:web", "outcome": "done", "reason": "", "temporary": False,
        "total_s": None, "downtime_s": None, "sent_bytes": None, "phases": {},
    }  # fmt: skip
    report = agent.report()
    assert (report["state"], report["memory_used_bytes"], report["load"], report["cpu_s"]) == (
        "running",
        1000000,
        0.5,
        1.5,
    )
    assert report["sample_age_s"] == 0.0
    host = agent.client.get("/v1/host").json()
    assert (host["cloud_vm"], host["cores"], host["memory_bytes"]) == ("cv1", 2, 256 * MIB)
    assert host["free_bytes"] == 240 * MIB
    assert [app_vm["spec"]["name"] for app_vm in host["app_vms"]] == ["web"]
    assert agent.step("stop", kind="stop", uuid=UUID)["outcome"] == "done"
    assert agent.report()["ended"] == {"how": "stopped", "at": 1000.0, "status": 0, "reason": ""}


def test_a_sample_ages_until_the_app_vm_speaks_again(agent):
    agent.start()
    agent.look()
    agent.world.now += 7.0
    assert agent.client.get(f"/v1/app-vms/{UUID}").json()["sample_age_s"] == 7.0


@pytest.mark.parametrize(
    ("halt", "console", "said", "ended"),
    [
        (Halt.POWEROFF, "", {"exit_status": "3"}, ("exited", 3, "")),
        (Halt.POWEROFF, "", {}, ("exited", None, "")),
        (Halt.POWEROFF, "out of memory: 64 KiB asked for, 12 KiB free\n", {"exit_status": "1"},
         ("out_of_memory", 1, "out of memory: 64 KiB asked for, 12 KiB free")),
        (Halt.POWEROFF, "out of memory: 64 KiB asked for, 12 KiB free\n", {"exit_status": "0"}, ("exited", 0, "")),
        (Halt.CRASH, "\npanic: page fault at 0x1234\ncalled from: 0x1\n", {}, ("crashed", None, "page fault at 0x1234")),
        (Halt.CRASH, "panic: no memory for thread x\n", {}, ("out_of_memory", None, "no memory for thread x")),
        (Halt.CRASH, "", {}, ("crashed", None, "it crashed without a word (crash)")),
        (Halt.POWEROFF, "", {"exit_status": "a lie"}, ("exited", None, "")),
        (Halt.REBOOT, "", {"exit_status": "0"}, ("exited", 0, "it asked for a restart, which is a new start here")),
    ],
)  # fmt: skip
def test_how_it_ended_is_told_apart(agent, halt, console, said, ended):
    agent.start()
    agent.world.ends(UUID, halt, console, **said)
    report = agent.report()
    assert report["state"] == "stopped"
    assert (report["ended"]["how"], report["ended"]["status"], report["ended"]["reason"]) == ended
    assert agent.world.guests == {}, "what ended gives its memory back"


def test_killed_by_us_killed_past_us_and_lost_are_told_apart(agent):
    agent.start()
    agent.step("kill", kind="kill", uuid=UUID)
    assert agent.report()["ended"] == {"how": "killed", "at": 1000.0, "status": 137, "reason": ""}
    agent.start(uuid=OTHER, name="other")
    gone = agent.world.guests.pop(OTHER)
    assert agent.report(OTHER)["state"] == "in_doubt", "one look may be wrong"
    assert agent.report(OTHER)["ended"]["reason"] == "destroyed past the agent"
    agent.world.guests[OTHER] = gone
    assert agent.report(OTHER)["state"] == "running", "what runs is never cleared away"
    agent.start(uuid=OTHER.replace("2", "3"), name="third")
    agent.world.guests.clear()
    agent.world.boot_id = "boot-2"
    agent.look()
    ended = agent.report(OTHER.replace("2", "3"))["ended"]
    assert (ended["how"], ended["reason"]) == ("lost", "the cloud VM was restarted")


def test_a_deaf_app_vm_is_killed_when_patience_is_over(agent):
    agent.world.deaf.add("web")
    agent.start()
    assert agent.step("stop", kind="stop", uuid=UUID, patience_s=0)["outcome"] == "done"
    assert agent.report()["ended"]["how"] == "killed"


def test_a_step_is_carried_out_once_whatever_is_sent_with_its_id(agent):
    agent.start()
    again = agent.client.put("/v1/steps/start:web", json={"kind": "kill", "uuid": UUID})
    assert again.json()["outcome"] == "done"
    agent.rest()
    assert agent.report()["state"] == "running"
    assert agent.world.started == 1


def test_one_with_a_disk_of_its_own_does_not_move_and_is_told_what_would(agent):
    agent.start(disk=DIGEST)
    refused = agent.step("move", kind="migrate", uuid=UUID, target="cv2", address="10.78.1.3")
    assert (refused["outcome"], refused["temporary"]) == ("failed", False)
    assert refused["reason"] == (
        "web has a disk of its own on cv1, and disks do not move: stop it and start it elsewhere with a new one, or give it "
        "files instead of a disk"
    )
    assert agent.report()["state"] == "running"


def test_an_ended_step_can_be_forgotten(agent):
    agent.start()
    assert [step["id"] for step in agent.client.get("/v1/steps?ended=1").json()] == ["start:web"]
    assert agent.client.delete("/v1/steps/start:web").status_code == 204
    assert agent.client.get("/v1/steps/start:web").status_code == 404


def test_names_are_unique_and_room_is_checked(agent):
    agent.start()
    taken = agent.start(uuid=OTHER)
    assert taken["id"] == "start:web"
    taken = agent.step("second", kind="start", spec=spec(uuid=OTHER))
    assert taken["outcome"] == "failed"
    assert "is taken by app VM" in taken["reason"]
    large = agent.step("large", kind="start", spec=spec(uuid=OTHER, name="large", memory_bytes=250 * MIB))
    assert large["reason"] == "large needs 251.0 MiB and cv1 has 240.0 MiB left"
    assert large["temporary"] is False
    assert agent.client.get(f"/v1/app-vms/{OTHER}").status_code == 404, "what could not start leaves nothing"


def test_what_the_hypervisor_refuses_is_passed_on_and_leaves_nothing(agent):
    agent.world.trouble["create"] = ActuationError("xl create failed: because", temporary=True)
    failed = agent.start()
    assert (failed["outcome"], failed["reason"], failed["temporary"]) == ("failed", "xl create failed: because", True)
    assert agent.client.get("/v1/app-vms").json() == []


def test_a_missing_image_names_what_to_do(agent):
    failed = agent.step("s", kind="start", spec=spec())
    assert failed["reason"] == f"image {DIGEST[:12]} is not here: no other cloud VM was named that may have it"


def test_saved_restored_and_gone(agent):
    agent.start()
    assert agent.step("save", kind="save", uuid=UUID)["outcome"] == "done"
    assert agent.report()["state"] == "saved"
    assert "is saved: restore it" in agent.step("again", kind="start", spec=spec())["reason"]
    assert agent.step("restore", kind="restore", uuid=UUID)["outcome"] == "done"
    assert agent.report()["state"] == "running"
    assert "runs: stop or kill it first" in agent.step("rm", kind="remove", uuid=UUID)["reason"]
    agent.step("kill", kind="kill", uuid=UUID)
    assert agent.step("rm2", kind="remove", uuid=UUID)["outcome"] == "done"
    assert agent.step("rm3", kind="remove", uuid=UUID)["outcome"] == "done", "gone is gone"
    assert agent.client.get(f"/v1/app-vms/{UUID}").status_code == 404


def test_wait_answers_when_it_has_ended_even_if_it_is_removed_then(agent):
    agent.start(remove_when_ended=True)
    agent.world.ends(UUID, Halt.POWEROFF, exit_status="3")
    agent.look()
    assert agent.client.get("/v1/app-vms").json() == []
    assert agent.client.get(f"/v1/app-vms/{UUID}/wait").json()["ended"]["status"] == 3


def test_logs_are_those_of_this_app_vm_only(agent):
    agent.world.console("web").write_text("an earlier one of this name\n")
    agent.start()
    agent.world.ends(UUID, Halt.POWEROFF, "two\nthree\n", exit_status="0")
    agent.look()
    logs = f"/v1/app-vms/{UUID}/logs"
    assert agent.client.get(logs).text == "web begins\ntwo\nthree\n"
    assert agent.client.get(f"{logs}?tail=1").text == "three\n"
    assert agent.client.get(f"{logs}?tail=2&follow=1").text == "two\nthree\n", "follow ends with the app VM"
    agent.world.writes("web", "a later one\n")
    assert agent.client.get(f"{logs}?tail=0").text == ""
    assert agent.client.get(f"{logs}?tail=all").text == "web begins\ntwo\nthree\n"


def test_what_is_typed_reaches_the_console(agent):
    agent.start()
    assert agent.client.post(f"/v1/app-vms/{UUID}/console", content=b"hello\n").status_code == 204
    assert agent.world.console("web").read_text().endswith("hello\n")


def test_an_image_is_what_its_name_says_or_is_not_kept(agent):
    wrong = sha256(b"other").hexdigest()
    answer = agent.client.put(f"/v1/images/{wrong}", content=IMAGE)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"what came is not {wrong[:12]}")
    assert agent.client.head(f"/v1/images/{wrong}").status_code == 404
    agent.client.put(f"/v1/images/{DIGEST}", content=IMAGE)
    assert agent.client.get(f"/v1/images/{DIGEST}").content == IMAGE
    assert agent.client.get("/v1/images").json() == {DIGEST: len(IMAGE)}
    agent.step("s", kind="start", spec=spec())
    assert agent.client.delete(f"/v1/images/{DIGEST}").status_code == 409, "it is in use"


def test_metrics_carry_each_app_vm(agent):
    agent.start(service="shop")
    agent.look()
    text = agent.client.get("/metrics").text
    assert f'flexcapsule_app_vm_cpu_seconds_total{{app_vm="web",service="shop",uuid="{UUID}"}} 1.5' in text
    assert f'flexcapsule_app_vm_state{{app_vm="web",service="shop",state="running",uuid="{UUID}"}} 1.0' in text
    assert "flexcapsule_agent_free_bytes 2.5165824e+08" in text
    assert 'flexcapsule_agent_steps{outcome="done"} 1.0' in text


@pytest.mark.parametrize(
    ("caller", "images", "others"),
    [("flexcapsule://agent/cv2", 404, 403), ("", 403, 403), ("flexcapsule://controllerx", 403, 403)],
)
def test_who_may_what(agent, caller, images, others):
    client = agent.other(caller)
    assert client.get(f"/v1/images/{DIGEST}").status_code == images
    assert client.put(f"/v1/images/{DIGEST}", content=IMAGE).status_code == 403
    for method, path in [
        ("GET", "/v1/host"), ("PUT", "/v1/steps/x"), ("PUT", "/v1/keys"), ("GET", "/metrics"), ("PUT", "/v1/fenced/cv1"),
        ("GET", f"/v1/app-vms/{UUID}/logs"), ("POST", f"/v1/app-vms/{UUID}/console"),
    ]:  # fmt: skip
        assert client.request(method, path).status_code == others, path


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ({"kind": "dance", "uuid": UUID}, "kind: 'dance' is none of start, stop"),
        ({"kind": "stop", "uuid": "web"}, "uuid: 'web' is not a UUID"),
        ({"kind": "stop", "uuid": UUID, "patience": 3}, "patience: there is no such field"),
        ({"kind": "start"}, "spec: start needs one"),
        (
            {"kind": "start", "spec": spec(memory_bytes="16M")},
            "spec.memory_bytes: a whole number was expected, not '16M'",
        ),
        ({"kind": "start", "spec": spec(memory_bytes=1)}, "memory_bytes: 1 is not from 4194304"),
        ({"kind": "start", "spec": spec(arguments=['a"b'])}, "arguments and environment: 'a\"b' has a quote"),
        ({"kind": "start", "spec": spec(address="10.0.0.1")}, "address: '10.0.0.1' has no prefix length"),
        ({"kind": "start", "spec": spec(environment={"ip": "x"})}, "environment: 'ip' cannot name a variable"),
        ({"kind": "migrate", "uuid": UUID}, "target: '' is not a cloud VM's name"),
        ([], "the document: an object was expected"),
    ],
)
def test_a_mistake_is_told_by_field(agent, request_, why):
    answer = agent.client.put("/v1/steps/x", json=request_)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(why), answer.json()


def test_what_is_no_json_or_too_much_is_refused(agent):
    assert agent.client.put("/v1/steps/x", content=b"{").status_code == 400
    assert agent.client.put("/v1/steps/x", content=b"[" * 100_000).status_code == 400
    assert agent.client.put("/v1/steps/x", content=b" " * (300 << 10)).status_code == 413
    assert agent.client.get("/v1/nothing").json()["error"].startswith("there is no /v1/nothing")
    assert agent.client.post("/v1/host").status_code == 405
