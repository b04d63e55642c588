"""Why a connection came to nothing: the cause below a library's errors, in words that name a cure."""

import socket
import ssl
from collections.abc import Iterator, Sequence

import requests
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError

from shared.domain.addresses import parts_of
from shared.domain.errors import NotTrusted, Unavailable
from shared.domain.untrusted import (
    EXPIRED_CERTIFICATE,
    NO_TLS,
    OTHER_NAME,
    UNKNOWN_AUTHORITY,
    UNKNOWN_NAME,
    UNUSABLE_CERTIFICATE,
)

# OpenSSL's numbers: https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/#error-codes
_AUTHORITY_CODES = frozenset({2, 18, 19, 20, 21, 24, 26, 27})
_TIME_CODES = {
    9: "is not valid yet: check the clock of that server",
    10: "has expired: renew it on that server",
}
_NAME_CODES = frozenset({62, 64})


def trouble_with_connection(
    service: str, operation: str, error: Exception, *, host: str, place: str = ""
) -> Unavailable:
    """Return our error for one of the network: what will not cure itself is told apart from an outage.

    ``host`` is what the sentences call the other end, and ``place`` too, with its port.
    """
    place = place or host
    causes = list(_causes(error))
    for cause in causes:
        if (persistent := _persistent_problem(cause, host, place)) is not None:
            kind, problem = persistent
            return NotTrusted(service, f"{operation}: {problem}", kind=kind, advice=problem)
    if problem := _passing_problem(causes, place):
        return Unavailable(service, f"{operation}: {problem}", advice=problem)
    said = "did not answer in time" if isinstance(error, requests.Timeout) else "gave no whole answer"
    return Unavailable(service, f"{place} {said} ({operation}: {type(error).__name__})")


def place_of(url: str) -> dict[str, str]:
    """Return the two names of where a URL leads."""
    parts = parts_of(url)
    return {"host": parts.hostname or "", "place": parts.netloc.rpartition("@")[2]}


def _persistent_problem(cause: BaseException, host: str, place: str) -> tuple[str, str] | None:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _certificate_problem(cause, host)
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return NO_TLS, f"{place} does not speak TLS as we do: check scheme and port of the address"
    if isinstance(cause, NameResolutionError | socket.gaierror):
        return UNKNOWN_NAME, (
            f"{host} cannot be found by its name: check the address, and the app's DNS servers if only a "
            "network of your own knows the name"
        )
    return None


def _passing_problem(causes: Sequence[BaseException], place: str) -> str:
    if any(isinstance(each, ConnectionRefusedError) for each in causes):
        return f"{place} refuses the connection: check host and port of the address, and the firewall"
    if any(isinstance(each, ConnectTimeoutError | requests.ConnectTimeout) for each in causes):
        return f"{place} takes no connection in time: check the firewall and the app's network"
    return ""


def _certificate_problem(error: ssl.SSLCertVerificationError, host: str) -> tuple[str, str]:
    certificate = f"the certificate of {host}"
    code = error.verify_code
    if code in _AUTHORITY_CODES:
        return UNKNOWN_AUTHORITY, (
            f"{certificate} is signed by an authority that is not known here: name a PEM file with the "
            "authority's certificate in REQUESTS_CA_BUNDLE"
        )
    if code in _TIME_CODES:
        return EXPIRED_CERTIFICATE, f"{certificate} {_TIME_CODES[code]}"
    if code in _NAME_CODES:
        return OTHER_NAME, f"{certificate} is for another name: use the name that it is for in the address"
    return (
        UNUSABLE_CERTIFICATE,
        f"{certificate} is not accepted (OpenSSL error {code}): replace it on that server",
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that it was made of, whichever way the libraries keep it."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        kept = (getattr(each, name, None) for name in ("reason", "inner_exception"))
        waiting += [*kept, each.__cause__, each.__context__, *each.args]
