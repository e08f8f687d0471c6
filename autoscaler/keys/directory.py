"""One directory of keys: made, read, renewed, and rotated without a moment in which nobody is trusted.

Separate because a crash may come between any two files: every file is written whole, and the order of writing is the safety.
The authority that authority.key belongs to signs; another one in authority.pem is still trusted until everybody has a
certificate of the new one.
"""

from __future__ import annotations

import datetime as dt
import os
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from autoscaler.errors import UsageError
from autoscaler.keys import certificates
from autoscaler.keys.certificates import Signer
from autoscaler.keys.names import AUTHORITY, CONTROLLER, NAME

SWAP_S = 0.05  # between the two renames of a key and its certificate


@dataclass(frozen=True, slots=True)
class Held:
    """One certificate as found in the directory. `current`: signed by the authority that signs now."""

    name: str
    uri: str
    dns: tuple[str, ...]
    addresses: tuple[str, ...]
    serial: str
    expires_at: float
    current: bool


@dataclass(frozen=True, slots=True)
class Share:
    """What one agent is handed, as PEM texts; the last two are empty when only whom to trust changes."""

    authority: str
    certificate: str = ""
    key: str = ""


def init(directory: Path, *, now: float | None = None) -> None:
    """Make an authority and the controller's certificate. Raises UsageError where an authority is: it is never overwritten."""
    if (directory / f"{AUTHORITY}.pem").exists():
        raise UsageError(
            f"{directory} has an authority already; `flexcapsule keys rotate` replaces it without an outage"
        )
    directory.mkdir(parents=True, mode=0o700, exist_ok=True)
    directory.chmod(0o700)
    certificate, key = certificates.new_authority(_moment(now))
    _write(directory / f"{AUTHORITY}.key", key)
    _write(directory / f"{AUTHORITY}.pem", certificate)
    issue(directory, CONTROLLER, now=now)


def issue(directory: Path, name: str, addresses: Sequence[str] = (), *, now: float | None = None) -> Held:
    """A new key and certificate for the controller, or for the agent `name` at `addresses` (IP or DNS)."""
    if not NAME.fullmatch(name) or name == AUTHORITY:
        raise UsageError(
            f"{name!r} cannot name an agent: use up to 63 lower-case letters, digits, dots and dashes, not {AUTHORITY!r}"
        )
    _write_pair(
        directory,
        name,
        certificates.signed(_signer(directory), name, certificates.alternatives(name, addresses), _moment(now)),
    )
    return read(directory, name)


def renew(directory: Path, name: str, *, now: float | None = None) -> Held:
    """A new key and certificate, by the authority that signs now, with the names of the old one."""
    names = _names(_certificate(directory, name))
    _write_pair(directory, name, certificates.signed(_signer(directory), name, names, _moment(now)))
    return read(directory, name)


def begin_rotation(directory: Path, *, now: float | None = None) -> None:
    """A new authority signs from here on, and both are trusted. Nothing when that is so already: a rotation is taken up."""
    trusted_now, signer = _authorities(directory), _signer(directory).certificate
    if len(trusted_now) > 1 and trusted_now[0] == signer:
        return
    certificate, key = certificates.new_authority(_moment(now))
    _write(directory / f"{AUTHORITY}.pem", certificate + certificates.pem(signer))
    _write(directory / f"{AUTHORITY}.key", key)  # a crash before this leaves the old one signing, and is taken up above


def end_rotation(directory: Path) -> None:
    """Trust the new authority only. Raises UsageError while a certificate of the old one is in the directory."""
    late = [held.name for held in every(directory) if not held.current]
    if late:
        raise UsageError(f"still signed by the old authority: {', '.join(late)}; run `flexcapsule keys rotate` again")
    _write(directory / f"{AUTHORITY}.pem", certificates.pem(_signer(directory).certificate))


def share(directory: Path, name: str, *, trust_only: bool = False) -> Share:
    """What the agent `name` needs of this directory."""
    authority = (directory / f"{AUTHORITY}.pem").read_text()
    if trust_only:
        return Share(authority)
    return Share(authority, (directory / f"{name}.pem").read_text(), (directory / f"{name}.key").read_text())


def forget(directory: Path, name: str) -> None:
    """The agent is no more. Its certificate stays valid until it expires or the authority is rotated."""
    for ending in ("key", "pem"):
        (directory / f"{name}.{ending}").unlink(missing_ok=True)


def every(directory: Path) -> list[Held]:
    """All certificates but the authorities', by name."""
    names = sorted(path.stem for path in directory.glob("*.pem") if path.stem != AUTHORITY)
    return [read(directory, name) for name in names]


def read(directory: Path, name: str) -> Held:
    certificate = _certificate(directory, name)
    names = _names(certificate)
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return Held(
        name=name,
        uri=uris[0] if uris else "",
        dns=tuple(names.get_values_for_type(x509.DNSName)),
        addresses=tuple(str(address) for address in names.get_values_for_type(x509.IPAddress)),
        serial=f"{certificate.serial_number:x}",
        expires_at=certificate.not_valid_after_utc.timestamp(),
        current=certificates.is_by(certificate, _signer(directory).certificate),
    )


def trusted(directory: Path) -> int:
    """How many authorities are trusted: two while a rotation is under way."""
    return len(_authorities(directory))


def context(directory: Path, name: str = CONTROLLER, *, serving: bool = False) -> ssl.SSLContext:
    """TLS 1.3 as `name`, which takes nobody without a certificate of a trusted authority. Raises UsageError with the fix."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if serving else ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.verify_mode = ssl.CERT_REQUIRED
    certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
    try:
        made.load_verify_locations(directory / f"{AUTHORITY}.pem")
        try:
            made.load_cert_chain(certificate, key)
        except ssl.SSLError:  # between the two renames of a renewal
            time.sleep(SWAP_S)
            made.load_cert_chain(certificate, key)
    except FileNotFoundError:
        raise UsageError(_missing(directory, name)) from None
    except ssl.SSLError as error:
        raise UsageError(f"the key of {name} in {directory} cannot be used ({error}); {_issue_hint(name)}") from error
    return made


def _missing(directory: Path, name: str) -> str:
    if not (directory / f"{AUTHORITY}.pem").exists():
        return f"{directory} has no authority; `flexcapsule keys init --keys {directory}` makes one"
    return f"{directory} has no certificate of {name}; {_issue_hint(name)}"


def _issue_hint(name: str) -> str:
    return f"`flexcapsule keys issue {name}{'' if name == CONTROLLER else ' ADDRESS...'}` makes one"


def _moment(now: float | None) -> dt.datetime:
    if now is None:
        now = time.time()  # noqa: TID251  a certificate's validity is the machine's own time; tests pass theirs
    return dt.datetime.fromtimestamp(now, dt.UTC).replace(microsecond=0)


def _authorities(directory: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates((directory / f"{AUTHORITY}.pem").read_bytes())
    except FileNotFoundError:
        raise UsageError(_missing(directory, AUTHORITY)) from None
    except ValueError as error:
        raise UsageError(f"{directory / 'authority.pem'} holds no certificate ({error})") from error


def _signer(directory: Path) -> Signer:
    """The trusted authority that authority.key belongs to. Raises UsageError where there is none."""
    authorities, path = _authorities(directory), directory / f"{AUTHORITY}.key"
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"the authority's key {path} cannot be read ({error}): certificates are made where it is"
        ) from None
    for certificate in authorities:
        if isinstance(key, ec.EllipticCurvePrivateKey) and certificate.public_key() == key.public_key():
            return Signer(certificate, key)
    raise UsageError(
        f"{path} belongs to no certificate in {AUTHORITY}.pem; put the pair back, or begin in a new directory"
    )


def _certificate(directory: Path, name: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate((directory / f"{name}.pem").read_bytes())
    except FileNotFoundError:
        raise UsageError(_missing(directory, name)) from None
    except ValueError as error:
        raise UsageError(f"{directory / name}.pem holds no certificate ({error}); {_issue_hint(name)}") from error


def _names(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def _write_pair(directory: Path, name: str, pair: tuple[str, str]) -> None:
    certificate, key = pair
    parts = [_written(directory / f"{name}.key", key), _written(directory / f"{name}.pem", certificate)]
    for part in parts:
        part.replace(part.with_suffix(""))


def _write(path: Path, text: str) -> None:
    _written(path, text).replace(path)


def _written(path: Path, text: str) -> Path:
    """A new file beside `path`, durable, with its final mode from its first instant: no secret is readable by others."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return part
