"""What a failure of storage means: our credentials, an outage, or a storage that we cannot talk to."""

from azure.core.exceptions import AzureError, ClientAuthenticationError

from shared.domain.errors import NotTrusted, Unauthorized, Unavailable, Upstream
from shared.domain.untrusted import UNSUPPORTED_VERSION
from shared.http.credential import IdentityUnavailable
from shared.http.trouble import trouble_with_connection

_TOO_OLD = (
    "the {service} storage lacks the version of the protocol that we speak: install a newer Azurite, "
    "or start it with --skipApiVersionCheck"
)


def trouble_with(service: str, error: AzureError) -> Upstream:
    """Return our error for one of the ``table`` or ``queue`` client."""
    detail = f"{service} storage: {type(error).__name__}"
    if isinstance(error, IdentityUnavailable):
        advice = "the app's identity endpoint gives no token at the moment"
        return Unavailable("storage", f"{detail}: {advice}", advice=advice)
    if isinstance(error, ClientAuthenticationError) or getattr(error, "status_code", None) in {401, 403}:
        return Unauthorized("storage", detail)
    if _refuses_our_version(error):
        advice = _TOO_OLD.format(service=service)
        return NotTrusted("storage", f"{detail}: {advice}", kind=UNSUPPORTED_VERSION, advice=advice)
    return trouble_with_connection("storage", f"{service} storage", error, host=f"the {service} storage")


def _refuses_our_version(error: AzureError) -> bool:
    """Tell whether storage does not know the value of a header, of which we send only one with a version.

    https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes
    """
    if getattr(error, "status_code", None) != 400:
        return False
    told = f"{getattr(error, 'error_code', '')} {error}"
    return "InvalidHeaderValue" in told and ("x-ms-version" in told or "API version" in told)
