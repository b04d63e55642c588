"""What each failure of storage means, whichever client met it."""

import pytest
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
)

from shared.domain.errors import NotTrusted, Unauthorized, Unavailable, Upstream
from shared.http.credential import IdentityUnavailable
from shared.store.trouble import trouble_with

VERSION = "InvalidHeaderValue: <HeaderName>x-ms-version</HeaderName>"
EMULATOR = "InvalidHeaderValue: The API version 2025-11-05 is not supported by Azurite."


def answered(status: int, message: str, code: str | None = None) -> HttpResponseError:
    error = HttpResponseError(message)
    error.status_code = status
    if code is not None:
        error.error_code = code  # type: ignore[attr-defined]  # as the clients of tables and queues set it
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (IdentityUnavailable("secret"), Unavailable),
        (ClientAuthenticationError("secret"), Unauthorized),
        (answered(401, "secret"), Unauthorized),
        (answered(403, "secret"), Unauthorized),
        (answered(400, f"{VERSION} secret"), NotTrusted),
        (answered(400, f"{EMULATOR} secret"), NotTrusted),
        # The code may stand beside the message.
        (answered(400, "<HeaderName>x-ms-version</HeaderName> secret", "InvalidHeaderValue"), NotTrusted),
        (answered(400, "<HeaderName>x-ms-version</HeaderName> secret", "InvalidInput"), Unavailable),
        # Another header, or another failure, says nothing about versions.
        (answered(400, "InvalidHeaderValue: <HeaderName>x-ms-date</HeaderName> secret"), Unavailable),
        (answered(400, "InvalidInput: x-ms-version secret"), Unavailable),
        (answered(503, f"{VERSION} secret"), Unavailable),
        (ServiceRequestError("secret", error=ConnectionRefusedError(111, "secret")), Unavailable),
        (AzureError("secret"), Unavailable),
    ],
)
@pytest.mark.parametrize("service", ["table", "queue"])
def test_each_failure_is_one_of_ours_and_quotes_nothing(
    error: AzureError, kind: type[Upstream], service: str
) -> None:
    trouble = trouble_with(service, error)
    assert type(trouble) is kind
    assert trouble.service == "storage"
    assert f"{service} storage" in trouble.told
    assert "secret" not in f"{trouble.told} {trouble.advice}"


@pytest.mark.parametrize(
    ("error", "kind", "cure", "beside"),
    [
        (
            answered(400, VERSION),
            "unsupported-version",
            (
                "the queue storage lacks the version of the protocol that we speak: install a newer Azurite, "
                "or start it with --skipApiVersionCheck"
            ),
            ": HttpResponseError",
        ),
        (
            IdentityUnavailable("…"),
            "unavailable",
            "the app's identity endpoint gives no token at the moment",
            ": IdentityUnavailable",
        ),
        (
            ServiceRequestError("…", error=ConnectionRefusedError(111, "…")),
            "unavailable",
            "the queue storage refuses the connection: check host and port of the address, and the firewall",
            "",
        ),
    ],
)
def test_a_cure_is_named_where_there_is_one(error: AzureError, kind: str, cure: str, beside: str) -> None:
    trouble = trouble_with("queue", error)
    assert (trouble.kind, trouble.advice) == (kind, cure)
    assert trouble.told == f"queue storage{beside}: {cure}"


def test_an_answer_without_a_status_is_an_outage() -> None:
    assert type(trouble_with("table", HttpResponseError(VERSION))) is Unavailable
