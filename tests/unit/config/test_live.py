"""A real cluster in the config: the example says all, what does not fit is refused where it stands."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from autoscaler.cli.live_assembly import keys_directory, recipe
from autoscaler.config import read_config
from autoscaler.config.hypervisors import LibvirtHostSettings, LibvirtSettings
from autoscaler.config.live import HAProxySettings, Live, LiveService
from autoscaler.core.model import CloudVMSize
from autoscaler.errors import PolicyError
from autoscaler.policylang.records import key_of
from autoscaler.policylang.tree import parse, plain, read_source

EXAMPLE = Path(__file__).parents[3] / "docs" / "live.yaml"
WITH_LIBVIRT = EXAMPLE.with_name("libvirt.yaml")


def live(path: Path) -> Live:
    found = read_config(path).cluster.live
    assert found is not None
    return found


def test_the_example_is_valid_and_so_is_the_choice_that_it_leaves(tmp_path):
    assert live(EXAMPLE).provider.lab.most == 4
    before, rest = EXAMPLE.read_text().split("      lab:\n")
    commented, after = rest.split("      # static:\n")[1].split("\n\n", 1)
    hosts = "      static:\n" + commented.replace("      # ", "      ")
    path = tmp_path / "hosts.yaml"
    path.write_text(f"{before}{hosts}\n\n{after}".replace('keys: ""', "keys: keys").split("    load_balancer:")[0])
    assert [host.name for host in live(path).provider.static] == ["rack1", "rack2"]


def test_the_example_with_libvirt_is_valid_and_says_every_setting():
    assert [host.name for host in live(WITH_LIBVIRT).provider.libvirt.hosts] == ["rack1", "rack2"]
    document = plain(parse(read_source(WITH_LIBVIRT)))["cluster"]["live"]["provider"]["libvirt"]
    assert set(document) == {key_of(part.name) for part in fields(LibvirtSettings)}
    assert set(document["hosts"][0]) == {key_of(part.name) for part in fields(LibvirtHostSettings)}


def test_the_example_says_every_setting():
    document = plain(parse(read_source(EXAMPLE)))["cluster"]["live"]
    assert set(document) == {key_of(part.name) for part in fields(Live)}
    assert set(document["services"][0]) == {key_of(part.name) for part in fields(LiveService)}
    assert set(document["load_balancer"]["haproxy"]) == {key_of(part.name) for part in fields(HAProxySettings)}


LIVE = """\
cluster:
  live:
    provider: {lab: {name: demo}}
    catalogue: [{name: small, cores: 1, memory: 300MiB, price_per_hour: 0.01}]
    services: [{id: web, image: web.elf, max_replicas: 3, cores: 0.5, apart_from: [web], labels: {tier: front}}]
"""


def written(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    text = LIVE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "live.yaml"
    path.write_text(text)
    return path


def test_a_short_one_and_what_comes_of_it(tmp_path):
    found = live(written(tmp_path))
    assert found.catalogue == (CloudVMSize("small", 1.0, 300 << 20, 0.01),)
    assert (found.images, found.keys, found.load_balancer) == (str(tmp_path), "", None)
    assert keys_directory(found).parts[-3:] == ("labs", "demo", "keys")
    made = recipe(found.services[0])
    assert (made.service.min_replicas, made.service.max_replicas, made.port) == (1, 3, 0)
    template = made.service.template
    assert (template.service, template.cores, template.apart_from, template.labels) == (
        "web",
        0.5,
        ("web",),
        (("tier", "front"),),
    )


LIBVIRT = (
    "{libvirt: {driver: qemu, hosts: [{name: a, size: small, uri: 'qemu:///system'}], command_line: 'ip={address}'}}"
)
HOST = "{static: [{name: a, size: small, address: 192.0.2.1}]}"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([("{lab: {name: demo}}", "{}")], "3:15: provider: expected one of `lab`, `static` and `libvirt`"),
        ([("{lab: {name: demo}}", HOST)], "provider.static: hosts need keys; expected cluster.live.keys"),
        ([("{lab: {name: demo}}", HOST.replace("small", "smal") + "\n    keys: k")], "'smal' is no size of the catalogue; expected one of small; nearest: small"),
        ([("{lab: {name: demo}}", LIBVIRT.replace("small", "smal"))], "hosts.0..size: 'smal' is no size of the catalogue"),
        ([("{lab: {name: demo}}", LIBVIRT), ("{address}", "{adress}")], "only {address} and {gateway} may stand in braces"),
        ([("{lab: {name: demo}}", "{libvirt: {hosts: []}}")], "hosts: expected one host or more"),
        ([("{lab: {name: demo}}", LIBVIRT.replace("}}", "}, lab: {name: demo}}"))], "expected one of `lab`, `static` and"),
        ([("{lab: {name: demo}}", LIBVIRT), ("driver: qemu", "driver: kvm")], "driver: 'kvm'"),
        ([("id: web", "id: 'we/b'")], "'we/b' cannot name app VMs"),
        ([("apart_from: [web]", "apart_from: [wbe]")], "'wbe' is no service; expected one of web; nearest: web"),
        ([("max_replicas: 3", "max_replicas: 3, min_replicas: 4")], "4 is more than max_replicas"),
        ([("    services", "    addresses: 10.0.0.1\n    services")], "addresses: '10.0.0.1' is no pool of addresses"),
        ([("    services", "    gateway: here\n    services")], "gateway: 'here' is no address"),
        ([("    services", "    load_balancer: {hook: [x], haproxy: {socket: s}}\n    services")], "expected either `haproxy` or `hook`"),
        ([("    services", "    load_balancer: {haproxy: {}}\n    services")], "expected either `socket` .one that runs. or `directory`"),
        (
            [("    services", "    load_balancer: {haproxy: {directory: d}}\n    services"), ("cores: 0.5", "port: 80")],
            "service web has a port and no frontend; expected web: ADDRESS:PORT in frontends",
        ),
        (
            [("    services", "    load_balancer: {haproxy: {socket: s, backends: {wbe: x}}}\n    services"), ("cores: 0.5", "port: 80")],
            "'wbe' is no service with a port; expected one of web; nearest: web",
        ),
        ([("image: web.elf", "memory: 1MiB, image: web.elf")], "memory: '1MiB' is out of range"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_where_it_stands(tmp_path, changes, said):
    with pytest.raises(PolicyError, match=said):
        read_config(written(tmp_path, *changes))
