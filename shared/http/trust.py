"""Whom we believe who a server is: the public authorities, and those of the house."""

import atexit
import os
import re
import ssl
import tempfile
from contextlib import suppress
from pathlib import Path

import msgspec
from requests.utils import DEFAULT_CA_BUNDLE_PATH as PUBLIC

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_LARGEST = 16 * 1024 * 1024  # bytes; the bundle of a whole distribution has about 200 KiB


class Trust(msgspec.Struct, frozen=True):
    """``bundle`` is the path of a file with all of them; ``problem`` says why it lacks the house's own."""

    bundle: str
    problem: str = ""


def trust_in(path: str) -> Trust:
    """Return the known authorities and those in the file at ``path``, if there is one.

    A file that cannot be used is no reason to stop: whoever it stands for is not trusted, all others are.
    """
    if not path:
        return Trust(PUBLIC)
    try:
        own = _certificates_in(Path(path))
        return Trust(_bundle(own))
    except _Unusable as error:
        return Trust(PUBLIC, f"REQUESTS_CA_BUNDLE {error}")


class _Unusable(Exception):
    """What is wrong with the file, as the rest of a sentence."""


def _certificates_in(path: Path) -> list[bytes]:
    try:
        if path.is_dir():
            raise _Unusable("names a folder: name one file of certificates in PEM")
        with path.open("rb") as file:
            content = file.read(_LARGEST)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise _Unusable(
            "names a file that does not exist" if missing else "names a file that cannot be read"
        ) from None
    except ValueError:
        raise _Unusable("is no path of a file") from None
    found: list[bytes] = _CERTIFICATE.findall(content)
    if not found:
        raise _Unusable("names a file without a certificate in PEM (-----BEGIN CERTIFICATE-----)")
    for number, each in enumerate(found, start=1):
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=each.decode("ascii"))
        except (ssl.SSLError, ValueError):
            raise _Unusable(f"names a file of which certificate {number} cannot be read") from None
    return found


def _bundle(own: list[bytes]) -> str:
    """Write one file of all authorities, for clients that take nothing but a path."""
    try:
        known = Path(PUBLIC).read_bytes()
        descriptor, name = tempfile.mkstemp(prefix="authorities-", suffix=".pem")
        with os.fdopen(descriptor, "wb") as file:
            file.write(b"\n".join([known, *own, b""]))
    except OSError:
        raise _Unusable("cannot be used: there is no folder to write all certificates to") from None
    atexit.register(_remove, name)
    return name


def _remove(name: str) -> None:
    with suppress(OSError):
        Path(name).unlink()
