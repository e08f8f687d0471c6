"""DHCP and names, and memory that the toolstack takes and gives: against a DHCP and a name server in the management VM."""

from __future__ import annotations

import time

import pytest

from autoscaler.lab import reach

pytestmark = pytest.mark.system

MIB = 2**20
ASKED, ANSWER = "lamp.example", "10.1.2.3"
# Answers one name with one address, every other with "no such name" (RFC 1035, section 4.1).
NAME_SERVER = f"""
import socket
known = b"".join(bytes([len(part)]) + part for part in b"{ASKED}".split(b".")) + b"\\0"
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((ADDRESS, 53))
while True:
    asked, who = server.recvfrom(512)
    end = asked.index(b"\\0", 12) + 5
    found = asked[12:end - 4] == known and asked[end - 3] == 1
    head = asked[:2] + (b"\\x81\\x80" if found else b"\\x81\\x83") + b"\\0\\1" + bytes([0, found]) + b"\\0\\0\\0\\0"
    record = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4" + socket.inet_aton("{ANSWER}") if found else b""
    server.sendto(head + asked[12:end] + record, who)
"""


@pytest.fixture
def servers(lab):
    """udhcpd (busybox) and a name server of a dozen lines on the front network; ended by their ids."""
    here, leased = lab.layout.front(1), lab.layout.front(240)
    conf = f"start {leased}\\nend {leased}\\ninterface xenbr0\\nopt subnet 255.255.255.0\\nopt router {here}\\nopt dns {here}\\n"
    program = NAME_SERVER.replace("ADDRESS", repr(here))
    begin = f"""cat > /tmp/names.py <<'X'
{program}X
printf '{conf}lease_file /tmp/leases\\npidfile /tmp/udhcpd.pid\\n' > /tmp/udhcpd.conf; : > /tmp/leases
python3 /tmp/names.py > /dev/null 2>&1 & echo $! > /tmp/names.pid
busybox udhcpd /tmp/udhcpd.conf"""
    reach.said(lab, "cv1", begin)
    yield leased
    reach.said(lab, "cv1", "kill $(cat /tmp/names.pid) $(cat /tmp/udhcpd.pid)", check=False)


def test_dhcp_gives_an_address_and_names_are_found(lab, app_vm, servers) -> None:
    arguments = f"{ASKED} {ANSWER} no-such.example"
    with app_vm("test-names", memory_mib=8, network="ip=dhcp", arguments=arguments) as running:
        assert f"here is {servers}" in running.await_line("PASS names")


def test_memory_follows_the_toolstacks_target(lab, app_vm) -> None:
    with app_vm("pulse", memory_mib=64) as running:
        running.await_line("a beat every")

        def held() -> int:
            return int(reach.said(lab, "cv1", f"xl list {running.name} | tail -1").split()[2])

        for target in (24, 48):
            reach.said(lab, "cv1", f"xl mem-set {running.name} {target}m", patience_s=60)
            for _ in range(20):
                if abs(held() - target) <= 1:
                    break
                time.sleep(1)
            assert abs(held() - target) <= 1, f"{held()} MiB held of a target of {target}"
        reach.said(lab, "cv1", f"xl shutdown -w {running.name}", patience_s=60)
