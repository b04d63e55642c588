"""Why we cannot talk to a service until a person changes something, by the kind of the error: NotTrusted."""

from collections.abc import Mapping

UNKNOWN_AUTHORITY = "unknown-certificate-authority"
EXPIRED_CERTIFICATE = "expired-certificate"
OTHER_NAME = "certificate-of-another-name"
UNUSABLE_CERTIFICATE = "unusable-certificate"
UNSUPPORTED_VERSION = "unsupported-version"
NO_TLS = "no-tls"
UNKNOWN_NAME = "unknown-host-name"

WHY: Mapping[str, str] = {
    UNKNOWN_AUTHORITY: "The service's certificate is signed by an authority that is not known here.",
    EXPIRED_CERTIFICATE: "The service's certificate has expired, or is not valid yet.",
    OTHER_NAME: "The service's certificate is for another name than the one in its address.",
    UNUSABLE_CERTIFICATE: "The service's certificate is not accepted.",
    UNSUPPORTED_VERSION: "The server is too old: it lacks the version of the API that we ask for.",
    NO_TLS: "The service does not speak TLS as we do.",
    UNKNOWN_NAME: "The service cannot be found by the name in its address.",
}
CURES: Mapping[str, str] = {
    UNKNOWN_AUTHORITY: "Name the authority's certificate in REQUESTS_CA_BUNDLE.",
    EXPIRED_CERTIFICATE: "Renew the certificate of that server, or set its clock.",
    OTHER_NAME: "Use the name that the certificate is for.",
    UNUSABLE_CERTIFICATE: "Replace the certificate of that server.",
    UNSUPPORTED_VERSION: "Azure DevOps Server 2020 or a newer one is needed.",
    NO_TLS: "Check scheme and port of the address.",
    UNKNOWN_NAME: "Check the address, and the app's DNS servers.",
}


def cure_in_passing(kind: str) -> str:
    """Return a cure as it stands in brackets in another sentence, with a blank before it, or nothing."""
    if kind not in CURES:
        return ""
    cure = CURES[kind].removesuffix(".")
    first = cure if cure.startswith("Azure") else f"{cure[0].lower()}{cure[1:]}"
    return f" ({first})"
