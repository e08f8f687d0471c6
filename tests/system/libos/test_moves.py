"""Moves: live there and back, cancelled, saved and restored, verified page by page, and under requests. Nothing is lost."""

from __future__ import annotations

import http.client
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from autoscaler.lab import network, reach, transfer
from autoscaler.lab.heartbeat import Watch, heard

pytestmark = pytest.mark.system

MOVES = int(os.environ.get("FLEXCAPSULE_MOVES", "4"))
MIB = 2**20
RATE_PER_S = 20


def cases(*all_):
    """Of a test; the short form sees the last of them only."""
    return all_ if MOVES >= 4 else all_[-1:]


def state(address: str) -> tuple[int, int, int, int]:
    """pulse's counter, both clocks in ns, and the moves it has survived."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(1)
        for _ in range(30):
            asking.sendto(b"state", (address, 7))
            try:
                words = asking.recv(128).split()
            except TimeoutError:
                continue
            assert words[0] == b"state"
            count, monotonic, real, moves = (int(word) for word in words[1:])
            return count, monotonic, real, moves
    raise AssertionError(f"pulse at {address} does not answer")


def ways(lab, count: int):
    """(source, target) there and back."""
    first, second = (shape.name for shape in lab.cloud_vms[:2])
    return [(first, second) if i % 2 == 0 else (second, first) for i in range(count)]


def test_pulse_moves_there_and_back_and_loses_nothing(lab, app_vm) -> None:
    with app_vm("pulse", memory_mib=16) as running:
        running.await_line("a beat every")
        before, longest_s = state(running.address), 0.0
        with Watch(running.address) as watch:  # one connection through all of them
            for source, target in ways(lab, MOVES):
                time.sleep(0.5)
                longest_s = max(longest_s, transfer.migrate(lab, running.name, source, target).total_s)
                after = state(running.address)
                assert after[3] == before[3] + 1
                assert after[0] > before[0]
                assert after[1] > before[1]
                assert after[2] > before[2]
                before = after
        noticed = heard(watch.arrivals)
        assert watch.connection == "intact"
        assert noticed.lost <= noticed.received * 0.01, noticed  # datagrams may be dropped on the way, not by us
        assert noticed.largest_gap_s < longest_s + 1
        assert "backwards" not in running.console()


@pytest.mark.parametrize("sent_bytes", cases(300_000, 1_200_000, 1_600_000))
def test_a_live_move_that_breaks_leaves_it_where_it_was(lab, app_vm, sent_bytes: int) -> None:
    """In the first pass, late in it, and about when it is suspended: the stream ends, and the toolstack gives up or resumes it."""
    with app_vm("pulse", memory_mib=16) as running:
        running.await_line("a beat every")
        with Watch(running.address) as watch:
            said = reach.said(
                lab,
                "cv1",
                f"xl migrate -s '' {running.name} 'head -c {sent_bytes} | socat -b 262144 - TCP:cv2.back:8002' 2>&1",
                patience_s=300,
                check=False,
            )
            assert "Migration successful" not in said
            assert state(running.address)[3] <= 1
            transfer.migrate(lab, running.name, "cv1", "cv2")
            assert state(running.address)[3] >= 1
        assert watch.connection == "intact"


def test_a_cancelled_move_goes_on_where_it_was(lab, app_vm) -> None:
    with app_vm("pulse", memory_mib=16) as running:
        running.await_line("a beat every")
        with Watch(running.address) as watch:
            for times in range(1, 4):
                reach.said(lab, "cv1", f"xl save -c {running.name} /tmp/checkpoint 2>&1", patience_s=120)
                assert state(running.address)[3] == times
        assert watch.connection == "intact"
        assert heard(watch.arrivals).lost <= heard(watch.arrivals).received * 0.01


def test_saved_and_restored_it_keeps_its_connections(lab, app_vm) -> None:
    with app_vm("pulse", memory_mib=16) as running:
        running.await_line("a beat every")
        with Watch(running.address) as watch:
            time.sleep(0.5)
            reach.said(
                lab, "cv1", f"xl save {running.name} /tmp/saved 2>&1 && xl restore /tmp/saved 2>&1", patience_s=180
            )
            assert state(running.address)[3] == 1
        assert watch.connection == "intact"


def test_the_toolstacks_verify_pass_finds_the_same_pages(lab, app_vm) -> None:
    with app_vm("pulse", memory_mib=16) as running:
        running.await_line("a beat every")
        time.sleep(3)  # free pages have been hidden
        usual = [transfer.migrate(lab, running.name, *way).wire_bytes for way in ways(lab, 2)]
        time.sleep(3)
        reach.said(lab, "cv2", ": > /var/log/xen/receive.log", check=False)
        before = network.sent_bytes(lab.layout, "cv1", "back")
        said = reach.said(
            lab,
            "cv1",
            f"xl migrate --debug -s '' {running.name} 'socat -b 262144 - TCP:cv2.back:8002' 2>&1",
            patience_s=300,
        )
        assert "Migration successful" in said
        sent = network.sent_bytes(lab.layout, "cv1", "back") - before
        assert sent > 1.5 * max(usual), "every page is sent a second time, to be compared: else nothing was"
        complaints = reach.said(lab, "cv2", "grep -iE 'verify pfn .* failed|mismatch' /var/log/xen/receive.log; true")
        assert not complaints.strip()
        assert state(running.address)[3] == 3


def test_what_is_not_in_use_is_not_sent_and_is_there_again(lab, app_vm) -> None:
    with app_vm("pulse", memory_mib=128) as running:
        running.await_line("a beat every")
        time.sleep(5)
        for source, target in ways(lab, 2):
            moved = transfer.migrate(lab, running.name, source, target)
            assert moved.wire_bytes < 6 * MIB, "a library OS of 128 MB that uses 2 sent more than 6"
        time.sleep(8)
        assert reach.said(lab, "cv1", f"xl list {running.name} | tail -1").split()[2] in {"127", "128"}


def test_httpd_answers_every_request_while_it_moves(lab, app_vm) -> None:
    """A fixed rate of requests, whether the earlier ones are answered or not: half on one connection that stays, half on new ones."""
    page = "<h1>still here</h1>\n"
    over, failures, asked, answered, staying_sockets = threading.Event(), [], [], [], set()

    def ask(connection: http.client.HTTPConnection) -> None:
        try:
            connection.request("GET", "/")
            (answered if connection.getresponse().read().decode() == page else failures).append("a page")
        except (OSError, http.client.HTTPException) as error:
            failures.append(repr(error))

    def ask_again(staying: http.client.HTTPConnection) -> None:
        ask(staying)
        staying_sockets.add(staying.sock)  # None where the server closed it

    def ask_anew(address: str) -> None:
        connection = http.client.HTTPConnection(address, timeout=60)
        ask(connection)
        connection.close()

    def load(address: str) -> None:
        staying = http.client.HTTPConnection(address, timeout=60)
        with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(64) as many:
            while not over.wait(1 / RATE_PER_S):
                asked.append(time.monotonic())
                one.submit(ask_again, staying) if len(asked) % 2 else many.submit(ask_anew, address)
        staying.close()

    with app_vm("httpd", memory_mib=8, files={"www/index.html": page}) as running:
        running.await_line("serving /www on port 80")
        client = threading.Thread(target=load, args=(running.address,))
        client.start()
        try:
            for source, target in ways(lab, MOVES):
                transfer.migrate(lab, running.name, source, target)
        finally:
            over.set()
            client.join()
    assert failures == []
    assert len(answered) == len(asked)
    assert len(staying_sockets) == 1
    assert None not in staying_sockets, "it did not stay"
    assert len(asked) > 0.8 * RATE_PER_S * (asked[-1] - asked[0]), "the rate was not kept"
    assert asked[-1] - asked[0] > MOVES


def test_sqlite_writes_while_it_moves_and_its_database_is_sound(lab, app_vm) -> None:
    with app_vm("sqlite", memory_mib=24) as running:
        running.await_line("writing to /tmp/work.db")
        for source, target in ways(lab, MOVES):
            transfer.migrate(lab, running.name, source, target)
        reach.said(lab, "cv1", f"xl shutdown -w {running.name}", patience_s=120)
        console = running.await_line("rows, ok, ")
        assert f"{MOVES} moves" in console


def test_no_memory_is_lost_in_cycles_of_suspend_and_resume(lab, app_vm) -> None:
    """Four for each move of the form that is run, 200 in the long one: every second one resumed as a new domain, elsewhere."""
    with app_vm("pulse", memory_mib=16) as running:
        running.await_line("a beat every")
        time.sleep(3)
        free = [int(running.stored("cv1", "free-bytes"))]
        for source, target in ways(lab, 2 * MOVES):
            reach.said(lab, source, f"xl save -c {running.name} /tmp/checkpoint 2>&1", patience_s=120)
            transfer.migrate(lab, running.name, source, target)
        time.sleep(8)  # the pages that were left behind are populated again, and a figure is published each second
        free.append(int(running.stored("cv1", "free-bytes")))
        assert state(running.address)[3] == 4 * MOVES
        assert free[1] == free[0]
        assert "no grants" not in running.console()


def test_a_disk_is_written_across_a_checkpoint_and_a_restore(lab, app_vm, loop_disk) -> None:
    with app_vm("test-disk", memory_mib=8, arguments="60", disk=loop_disk) as running:
        running.await_line("writing")
        reach.said(lab, "cv1", f"xl save -c {running.name} /tmp/checkpoint 2>&1", patience_s=120)
        reach.said(lab, "cv1", f"xl save {running.name} /tmp/saved 2>&1 && xl restore /tmp/saved 2>&1", patience_s=180)
        running.await_line("PASS disk", patience_s=180)


@pytest.mark.parametrize(
    "away", cases("xl block-detach {name} xvda", "xenstore-rm /local/domain/0/backend/vbd/$(xl domid {name})")
)
def test_a_disk_that_goes_away_while_it_is_written_is_an_error_and_not_a_wait(
    lab, app_vm, loop_disk, away: str
) -> None:
    with app_vm("test-disk", memory_mib=8, arguments="300", disk=loop_disk) as running:
        running.await_line("writing")
        reach.said(lab, "cv1", away.format(name=running.name), patience_s=120, check=False)
        deadline = time.monotonic() + 60
        while "FAIL disk" not in running.console() and time.monotonic() < deadline:
            time.sleep(0.5)
        assert "FAIL disk" in running.console(), "its writes still wait"
        assert "panic" not in running.console()


@pytest.mark.parametrize("garbage", cases("suspendd", "", "\\x01\\xff", "poweroff" * 60))
def test_garbage_in_xenstore_is_ignored(lab, app_vm, garbage: str) -> None:
    with app_vm("pulse", memory_mib=8) as running:
        running.await_line("a beat every")
        home = f"/local/domain/$(xl domid {running.name})"
        for key in ("control/shutdown", "memory/target"):
            reach.said(lab, "cv1", f"xenstore-write {home}/{key} '{garbage}'")
        assert state(running.address)[3] == 0


def test_a_backend_that_goes_away_is_survived(lab, app_vm) -> None:
    with app_vm("httpd", memory_mib=8) as running:
        running.await_line("serving")
        reach.said(lab, "cv1", f"xl network-detach {running.name} 0", patience_s=60)
        time.sleep(2)
        assert "panic" not in running.console()
        reach.said(lab, "cv1", f"xl shutdown -w {running.name}", patience_s=60)
        running.await_line("httpd: signal 15")
