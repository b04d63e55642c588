"""Certificates for this machine's loopback address, made anew for each use and trusted by nobody else."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LOOPBACK = IPv4Address("127.0.0.1")
_VALID_FOR = timedelta(days=2)
_CLOCKS_DIFFER_BY = timedelta(hours=1)


@dataclass(frozen=True)
class Certificate:
    """The files of a certificate and of its key."""

    path: Path
    key_path: Path


def make_certificate(folder: Path) -> Certificate:
    """Write a certificate for the loopback address, which is its own authority, and its key into a folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    unsigned = _unsigned("loopback", "loopback", key, names=(str(LOOPBACK),), is_authority=True)
    return _written(folder, "loopback", unsigned.sign(key, hashes.SHA256()), key)


class Authority:
    """A house's own authority, whose certificate is at ``path``."""

    def __init__(self, folder: Path, name: str = "house") -> None:
        self._folder = folder
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        unsigned = _unsigned(name, name, self._key, is_authority=True)
        self.path = _written(folder, name, unsigned.sign(self._key, hashes.SHA256()), self._key).path

    def issue(self, *names: str, valid_from: timedelta = -_CLOCKS_DIFFER_BY) -> Certificate:
        """Write a certificate for a server with these names or addresses, which is valid for two days."""
        key = ec.generate_private_key(ec.SECP256R1())
        unsigned = _unsigned(names[0], self._name, key, names=names, valid_from=valid_from)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        signed = unsigned.add_extension(issuer, critical=False).sign(self._key, hashes.SHA256())
        return _written(self._folder, f"server-{signed.serial_number}", signed, key)


def _unsigned(
    subject: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    *,
    names: tuple[str, ...] = (),
    valid_from: timedelta = -_CLOCKS_DIFFER_BY,
    is_authority: bool = False,
) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    start = datetime.now(UTC) + valid_from
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + _VALID_FOR)
        .add_extension(
            x509.BasicConstraints(ca=is_authority, path_length=0 if is_authority else None), critical=True
        )
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if not names:
        return builder
    return builder.add_extension(
        x509.SubjectAlternativeName([_named(each) for each in names]), critical=False
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _named(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _written(
    folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> Certificate:
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    made.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key_path.touch(mode=0o600)
    made.key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return made
