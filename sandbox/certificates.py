"""A private certificate authority with one good server certificate and every usual bad one."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = dt.timedelta(days=1)
_OUR_NAMES = ("localhost", "*.localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where the files are. A chain file holds certificates and private key in one PEM, readable by its owner only."""

    ca_file: Path
    chains: Mapping[str, Path]
    """By kind: a key of KINDS."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How one server certificate differs from a good one. Times relative to now."""

    names: tuple[str, ...] = _OUR_NAMES
    not_before: dt.timedelta = -_DAY
    not_after: dt.timedelta = 30 * _DAY
    signed_by: str = "ca"
    """`ca` (the one to trust), `other` (an authority that nobody knows) or `self`."""


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "good": Kind(),
        "renewed": Kind(),
        "expired": Kind(not_before=-10 * _DAY, not_after=-_DAY),
        "not_yet_valid": Kind(not_before=_DAY),
        "wrong_name": Kind(names=("wrong.example.test",)),
        "untrusted": Kind(signed_by="other"),
        "self_signed": Kind(signed_by="self"),
    }
)


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def write_certificates(directory: Path, now: dt.datetime, names: tuple[str, ...] = ()) -> Certificates:
    """Make everything afresh in that directory; `names` are further names of a good certificate.

    Raises OSError when the directory cannot be written.
    """
    authorities = {"ca": _authority("sandbox CA", now), "other": _authority("unknown CA", now)}
    ca_file = directory / "ca.pem"
    ca_file.write_bytes(_pem(authorities["ca"].certificate))
    chains: dict[str, Path] = {}
    for name, kind in KINDS.items():
        chains[name] = directory / f"{name}.pem"
        chains[name].touch(mode=0o600)
        chains[name].write_bytes(_leaf(kind, authorities, now, names))
    return Certificates(ca_file, MappingProxyType(chains))


def _authority(common_name: str, now: dt.datetime) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    certificate = (
        _builder(common_name, common_name, key.public_key(), now - 20 * _DAY, now + 60 * _DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _Authority(certificate, key)


def _leaf(kind: Kind, authorities: Mapping[str, _Authority], now: dt.datetime, names: tuple[str, ...]) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    authority = authorities.get(kind.signed_by)
    issuer = "sandbox" if authority is None else authority.certificate.subject.rfc4514_string().removeprefix("CN=")
    signer = key if authority is None else authority.key
    own = names if kind.names == _OUR_NAMES else ()
    certificate = (
        _builder("sandbox", issuer, key.public_key(), now + kind.not_before, now + kind.not_after)
        .add_extension(
            x509.SubjectAlternativeName([_general_name(name) for name in (*kind.names, *own)]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return _pem(certificate) + private


def _builder(
    subject: str, issuer: str, key: ec.EllipticCurvePublicKey, not_before: dt.datetime, not_after: dt.datetime
) -> x509.CertificateBuilder:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    return (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
