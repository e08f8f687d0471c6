"""The agent on real Xen, through its own API: an app VM's whole life, each way to end told apart, and the agent's own death."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from autoscaler import keys
from autoscaler.agent.command.ramdisk import packed
from autoscaler.lab import reach

pytestmark = pytest.mark.system
MIB = 1 << 20
GREEDY = "local t = {} while true do t[#t + 1] = string.rep(tostring(#t), 20000) end"
COUNTING = "for n = 1, 1000000 do print('line ' .. n) io.stdout:flush() local s = os.clock() while os.clock() < s + 0.3 do end end"


def script(directory: Path, text: str) -> bytes:
    """Files for lua.elf: main.lua."""
    path = directory / "main.lua"
    path.write_text(text + "\n")
    return packed([f"{path}:/main.lua"])


def start_script(agent, built, directory, text, name, **more):
    return agent.start(built / "lua.elf", name, files=script(directory, text), arguments=["/main.lua"], **more)


def answered(address: str, patience_s: float = 60.0) -> str:
    deadline = time.monotonic() + patience_s
    while True:
        with suppress(httpx.TransportError):
            return httpx.get(f"http://{address}/status", timeout=2.0, trust_env=False).text
        assert time.monotonic() < deadline, f"{address} does not answer"


def test_httpd_is_run_to_its_first_answer_seen_paused_saved_and_stopped(agent, built):
    app_vm = agent.start(built / "httpd.elf", "web", service="shop", arguments=["80", "/"])
    address = agent.report(app_vm)["spec"]["address"].partition("/")[0]
    assert answered(address).startswith("served ")
    deadline = time.monotonic() + 60
    while (report := agent.report(app_vm))["sample_age_s"] is None or report["received_bytes"] == 0:
        assert time.monotonic() < deadline, report
    assert report["state"] == "running"
    assert 0 < report["memory_used_bytes"] < report["memory_allocated_bytes"] == 16 * MIB
    assert 0 < report["cpu_s"] < 60
    assert f'flexcapsule_app_vm_state{{app_vm="web",service="shop",state="running",uuid="{app_vm}"}} 1.0' in (
        agent.client.get("/metrics").text
    )

    assert agent.step("pause", uuid=app_vm)["outcome"] == "done"
    assert agent.report(app_vm)["state"] == "paused"
    assert agent.step("resume", uuid=app_vm)["outcome"] == "done"
    served = int(answered(address).split()[1])

    assert agent.step("save", uuid=app_vm)["outcome"] == "done"
    assert agent.report(app_vm)["state"] == "saved"
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://{address}/status", timeout=1.0, trust_env=False)
    assert agent.step("restore", uuid=app_vm)["outcome"] == "done"
    assert int(answered(address).split()[1]) > served, "it remembers whom it served"

    assert agent.step("stop", uuid=app_vm, patience_s=30)["outcome"] == "done"
    ended = agent.report(app_vm)["ended"]
    assert (ended["how"], ended["status"]) == ("stopped", 0)
    assert agent.step("remove", uuid=app_vm)["outcome"] == "done"
    assert agent.client.get(f"/v1/app-vms/{app_vm}").status_code == 404


def test_exit_status_out_of_memory_panic_and_kill_are_told_apart(agent, built, tmp_path):
    status = start_script(agent, built, tmp_path, "os.exit(3)", "three")
    assert (agent.wait(status)["how"], agent.wait(status)["status"]) == ("exited", 3)
    starved = start_script(agent, built, tmp_path, GREEDY, "greedy", memory_mib=8)
    ended = agent.wait(starved)
    assert ended["how"] == "out_of_memory", (ended, agent.logs(starved))
    assert ended["reason"].startswith("out of memory: ")
    faulty = agent.start(built / "test-fault.elf", "faulty", memory_mib=8)
    ended = agent.wait(faulty)
    assert (ended["how"], ended["status"]) == ("crashed", None), agent.logs(faulty)
    assert ended["reason"].startswith("page fault at 0x"), ended
    killed = agent.start(built / "httpd.elf", "killed")
    assert agent.step("kill", uuid=killed)["outcome"] == "done"
    ended = agent.wait(killed)
    assert (ended["how"], ended["status"], ended["reason"]) == ("killed", 137, "")
    assert agent.ask("GET", "/v1/host")["free_bytes"] > 200 * MIB, "all gave their memory back"


def test_logs_are_followed_while_they_come_and_end_with_it(agent, built, tmp_path):
    app_vm = start_script(agent, built, tmp_path, COUNTING, "counting")
    agent.await_log(app_vm, "line 2\r\n")
    seen: list[str] = []
    with agent.client.stream(
        "GET", f"/v1/app-vms/{app_vm}/logs", params={"follow": 1, "tail": 1}, timeout=120
    ) as answer:
        for text in answer.iter_text():
            seen.append(text)
            if "".join(seen).count("\n") == 4:
                threading.Thread(target=agent.step, args=("kill",), kwargs={"uuid": app_vm}).start()
    numbers = [int(line.split()[1]) for line in "".join(seen).splitlines() if line.startswith("line ")]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "none missing, none twice"
    assert numbers[0] >= 2


def test_what_is_typed_is_read_by_the_application(agent, built, tmp_path):
    app_vm = start_script(
        agent, built, tmp_path, "print('name?') io.stdout:flush() print('hello ' .. io.read())", "asking"
    )
    agent.await_log(app_vm, "name?")
    agent.ask("POST", f"/v1/app-vms/{app_vm}/console", content=b"capsule\n")
    assert "hello capsule" in agent.await_log(app_vm, "hello")


@pytest.mark.parametrize("delay_s", [0.3, 1.5])
def test_an_agent_killed_in_the_middle_of_a_start_is_taken_up(agent, built, delay_s):
    """What had been begun is ended by the next agent, and what ran never noticed."""
    standing = agent.start(built / "httpd.elf", "standing", arguments=["80", "/"])
    address = agent.report(standing)["spec"]["address"].partition("/")[0]
    served = int(answered(address).split()[1])
    spec = {**agent.report(standing)["spec"], "uuid": standing[:-4] + "beef", "name": "second", "address": ""}
    agent.started.append(spec["uuid"])
    agent.ask("PUT", f"/v1/steps/cut:{spec['uuid']}", json={"kind": "start", "spec": spec})
    time.sleep(delay_s)
    reach.said(agent.lab, agent.name, "kill -9 $(pidof python3)", check=False)
    agent.await_answer()
    done = agent.ended(f"cut:{spec['uuid']}")
    assert done["outcome"] == "done", (done, agent.log())
    states = {app_vm["spec"]["name"]: app_vm["state"] for app_vm in agent.ask("GET", "/v1/app-vms")}
    assert (states["standing"], states["second"]) == ("running", "running")
    listed = reach.said(agent.lab, agent.name, "xl list").split()
    assert (listed.count("second"), listed.count("standing")) == (1, 1)
    assert int(answered(address).split()[1]) == served + 1


def test_what_ended_while_no_agent_lived_is_known_to_the_next(agent, built, tmp_path):
    app_vm = start_script(agent, built, tmp_path, "io.read() os.exit(5)", "orphan")
    tty = "xenstore-read /local/domain/$(xl domid orphan)/console/tty"
    reach.said(agent.lab, agent.name, f"tty=$({tty}); kill -9 $(pidof python3); echo > $tty", check=False)
    agent.await_answer()
    ended = agent.wait(app_vm)
    assert (ended["how"], ended["status"]) == ("exited", 5)


def said_to(context: ssl.SSLContext, address: tuple[str, int]) -> bytes:
    """What a caller with these keys gets; in TLS 1.3 he learns only after his handshake that he is not taken."""
    with (
        suppress(ssl.SSLError, ConnectionError),
        socket.create_connection(address, 10) as plain,
        context.wrap_socket(plain, server_hostname=address[0]) as secured,
    ):
        secured.sendall(b"GET /v1/host HTTP/1.0\r\n\r\n")
        return secured.recv(100)
    return b""


def test_the_port_answers_nothing_without_a_certificate(agent, lab):
    address = (lab.layout.front(1), 8650)
    anybody = ssl.create_default_context(cafile=lab.layout.keys / "authority.pem")
    assert said_to(anybody, address) == b"", "not one byte of HTTP"
    with socket.create_connection(address, 10) as plain:
        plain.sendall(b"GET /v1/host HTTP/1.0\r\n\r\n")
        assert b"HTTP/" not in plain.recv(100)
    other = httpx.get(
        f"https://{address[0]}:{address[1]}/v1/host", verify=keys.context(lab.layout.keys, "cv1"), trust_env=False
    )
    assert other.status_code == 403, "an agent's key commands nobody"


def test_a_missing_image_comes_from_another_cloud_vm(agent_of, built, lab):
    if len(lab.cloud_vms) < 2:
        pytest.skip("this lab has one cloud VM")
    first, second = agent_of("cv1"), agent_of("cv2")
    app_vm = first.start(built / "hello.elf", "hello", memory_mib=8)
    spec = {**first.report(app_vm)["spec"], "uuid": app_vm[:-4] + "beef", "name": "hello-there"}
    second.started.append(spec["uuid"])
    done = second.step("start", spec=spec, sources=[lab.layout.back(1)])
    assert done["outcome"] == "done", done
    assert second.wait(spec["uuid"])["status"] == 0
