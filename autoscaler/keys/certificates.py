"""Certificates as values: an authority, and what it signs for a name. No file is read or written here."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from autoscaler.errors import UsageError
from autoscaler.keys.names import AGENT_URI, CONTROLLER, CONTROLLER_URI, NAME

AUTHORITY_DAYS = 3650
LEAF_DAYS = 397  # a little over a year: the longest that public certificates had for long, so that tools accept it
CLOCK_LEEWAY = dt.timedelta(days=1)  # a cloud VM that has just booted may not have the right time yet
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True, slots=True)
class Signer:
    """The authority that signs now."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def alternatives(name: str, addresses: Sequence[str]) -> x509.SubjectAlternativeName:
    """Who somebody is: a URI, which says the role, and where they answer. Raises UsageError for what is no address."""
    uri = CONTROLLER_URI if name == CONTROLLER else AGENT_URI + name
    others: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri), x509.DNSName(name)]
    for address in addresses:
        try:
            others.append(x509.IPAddress(ipaddress.ip_address(address)))
        except ValueError:
            if not NAME.fullmatch(address):
                raise UsageError(f"{address!r} is neither an IP address nor a host's name") from None
            others.append(x509.DNSName(address))
    return x509.SubjectAlternativeName(others)


def new_authority(now: dt.datetime) -> tuple[str, str]:
    """An authority's certificate and key, as PEM texts."""
    key = ec.generate_private_key(ec.SECP256R1())
    mark = x509.random_serial_number() & 0xFFFFFFFF  # two authorities made in one second have different names
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"FlexCapsule authority {now:%Y-%m-%d} {mark:08x}")])
    usage = x509.KeyUsage(**{**dict.fromkeys(_USAGES, False), "key_cert_sign": True, "crl_sign": True})
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        _builder(name, name, key.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    return pem(certificate), key_pem(key)


def signed(signer: Signer, name: str, names: x509.SubjectAlternativeName, now: dt.datetime) -> tuple[str, str]:
    """A certificate for what `names` says, and its new key, as PEM texts."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(**{**dict.fromkeys(_USAGES, False), "digital_signature": True})
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
    certificate = (
        _builder(subject, signer.certificate.subject, key.public_key(), now, LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(both, critical=False)
        .add_extension(names, critical=False)
        .add_extension(issuer_key, critical=False)
        .sign(signer.key, hashes.SHA256())
    )
    return pem(certificate), key_pem(key)


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: dt.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_LEEWAY)
        .not_valid_after(now + dt.timedelta(days=days))
    )


def is_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except Exception:  # noqa: BLE001  InvalidSignature, ValueError and TypeError all say: not by this one
        return False
    return True


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()
