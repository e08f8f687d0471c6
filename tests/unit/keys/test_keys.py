"""The cluster's keys: who each certificate names, who may read them, and a rotation in which nobody is ever turned away."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest

from autoscaler import keys
from autoscaler.errors import UsageError

NOW = 1_800_000_000.0
DAY_S = 86400.0


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    place = tmp_path / "keys"
    keys.init(place)
    keys.issue(place, "cv1", ["127.0.0.1", "cv1.back"])
    keys.issue(place, "cv2", ["127.0.0.2"])
    return place


def greeted(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> dict[str, object]:
    """A handshake in memory; the certificate that the server saw. Raises what either side raises."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    serving = server.wrap_bio(to_server, to_client, server_side=True)
    asking = client.wrap_bio(to_client, to_server, server_hostname=name)
    for _ in range(4):
        for side in (asking, serving):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return dict(serving.getpeercert() or {})


def test_certificates_name_roles_and_addresses(directory: Path) -> None:
    assert [(held.name, held.uri) for held in keys.every(directory)] == [
        ("controller", "flexcapsule://controller"),
        ("cv1", "flexcapsule://agent/cv1"),
        ("cv2", "flexcapsule://agent/cv2"),
    ]
    held = keys.read(directory, "cv1")
    assert (held.dns, held.addresses, held.current) == (("cv1", "cv1.back"), ("127.0.0.1",), True)


def test_nobody_else_can_read_them_even_without_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keys.init(tmp_path / "keys")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()}
    assert modes == dict.fromkeys(("authority.key", "authority.pem", "controller.key", "controller.pem"), 0o600)
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_an_agent_sees_who_calls_it(directory: Path) -> None:
    agent, controller = keys.context(directory, "cv1", serving=True), keys.context(directory)
    assert ("URI", "flexcapsule://controller") in greeted(agent, controller, "127.0.0.1")["subjectAltName"]  # type: ignore[operator]


def test_one_agent_cannot_pass_for_another(directory: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=r"127\.0\.0\.2"):
        greeted(keys.context(directory, "cv1", serving=True), keys.context(directory), "127.0.0.2")


def test_no_certificate_no_answer(directory: Path) -> None:
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    stranger.load_verify_locations(directory / "authority.pem")
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        greeted(keys.context(directory, "cv1", serving=True), stranger, "127.0.0.1")


def test_another_clusters_certificate_is_refused(directory: Path, tmp_path: Path) -> None:
    keys.init(tmp_path / "other")
    with pytest.raises(ssl.SSLError):
        greeted(keys.context(directory, "cv1", serving=True), keys.context(tmp_path / "other"), "127.0.0.1")


def test_an_expired_certificate_is_refused(directory: Path) -> None:
    keys.issue(directory, "controller", now=1_000_000_000.0)
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        greeted(keys.context(directory, "cv1", serving=True), keys.context(directory), "127.0.0.1")


def test_a_certificate_says_until_when(directory: Path) -> None:
    assert keys.renew(directory, "cv1", now=NOW).expires_at == NOW + 397 * DAY_S


def test_a_rotation_turns_nobody_away(directory: Path) -> None:
    """Every pair of an old and a new certificate can talk, at every point between begin and end."""
    old = keys.context(directory, "cv1", serving=True)
    keys.begin_rotation(directory)
    both, old_leaf = keys.context(directory, "cv1", serving=True), keys.context(directory)
    greeted(old, old_leaf, "127.0.0.1")
    greeted(both, old_leaf, "127.0.0.1")
    keys.renew(directory, "controller")
    greeted(both, keys.context(directory), "127.0.0.1")
    with pytest.raises(UsageError, match="still signed by the old authority: cv1, cv2"):
        keys.end_rotation(directory)
    for name in ("cv1", "cv2"):
        keys.renew(directory, name)
    keys.end_rotation(directory)
    assert keys.trusted(directory) == 1
    greeted(keys.context(directory, "cv1", serving=True), keys.context(directory), "127.0.0.1")
    with pytest.raises(ssl.SSLError):
        greeted(keys.context(directory, "cv1", serving=True), old_leaf, "127.0.0.1")


def test_renewal_keeps_names_and_changes_the_key(directory: Path) -> None:
    before, key = keys.read(directory, "cv1"), (directory / "cv1.key").read_text()
    after = keys.renew(directory, "cv1")
    assert (after.uri, after.dns, after.addresses) == (before.uri, before.dns, before.addresses)
    assert after.serial != before.serial
    assert (directory / "cv1.key").read_text() != key


def test_a_rotation_killed_before_its_key_was_written_is_begun_anew(directory: Path) -> None:
    old_key = (directory / "authority.key").read_bytes()
    keys.begin_rotation(directory)
    (directory / "authority.key").write_bytes(old_key)
    keys.begin_rotation(directory)
    for held in keys.every(directory):
        keys.renew(directory, held.name)
    keys.end_rotation(directory)
    assert (directory / "authority.key").read_bytes() != old_key
    assert all(held.current for held in keys.every(directory))


def test_taking_up_a_rotation_makes_no_third_authority(directory: Path) -> None:
    keys.begin_rotation(directory)
    authority = (directory / "authority.pem").read_text()
    keys.begin_rotation(directory)
    assert (directory / "authority.pem").read_text() == authority


@pytest.mark.parametrize("name", ["../cv1", "Cv1", "", "a" * 64, "authority", "a/b"])
def test_bad_names_are_refused(directory: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot name an agent"):
        keys.issue(directory, name)


def test_mistakes_name_the_fix(directory: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="keys rotate"):
        keys.init(directory)
    with pytest.raises(UsageError, match=r"`flexcapsule keys issue cv9 ADDRESS\.\.\.` makes one"):
        keys.context(directory, "cv9")
    with pytest.raises(UsageError, match=r"`flexcapsule keys init --keys .*` makes one"):
        keys.context(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="neither an IP address nor a host's name"):
        keys.issue(directory, "cv1", ["not an address"])
    (directory / "authority.key").unlink()
    with pytest.raises(UsageError, match="certificates are made where it is"):
        keys.issue(directory, "cv3")
