"""Which addresses the app may connect to, and their normalized form.

The author of an organization's document decides where our tokens go. An address is therefore checked
twice: as text when it is stored, and as an IP address at each connection.
"""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

import msgspec

from shared.domain.errors import Rejected

_DEV_AZURE = "dev.azure.com"
_VISUAL_STUDIO = ".visualstudio.com"
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")

# Instance metadata and the platform's own agent, forbidden whatever the routing says.
# https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
_FORBIDDEN = frozenset(map(ipaddress.ip_address, ("169.254.169.254", "168.63.129.16", "fd00:ec2::254")))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressPolicy(msgspec.Struct, frozen=True):
    """``private_hosts`` holds lower-case names; ``loopback`` is for local runs, with storage on loopback."""

    private_hosts: frozenset[str] = frozenset()
    loopback: bool = False

    def verify_address(self, host: str, address: str) -> None:
        """Raise Rejected unless a connection to ``host``, which resolves to ``address``, is allowed."""
        ip = _unwrapped(ipaddress.ip_address(address.partition("%")[0]))
        if ip.is_loopback:
            if not self.loopback:
                raise Rejected(f"{host}: loopback addresses are for local runs only")
        elif ip in _FORBIDDEN or ip.is_link_local or ip.is_multicast or ip.is_unspecified:
            raise Rejected(f"{host}: link-local and metadata addresses are never allowed")
        elif not _is_public(ip) and host.lower() not in self.private_hosts:
            raise Rejected(f"{host}: a private address needs the host name in ALLOWED_PRIVATE_HOSTS")

    def verify_url(self, url: str) -> str:
        """Return ``url`` with a trailing slash, or raise Rejected with what is wrong with it."""
        parts = _split(url)
        host = (parts.hostname or "").rstrip(".")
        if parts.username or parts.password or "@" in parts.netloc:
            raise Rejected("must not contain credentials")
        if parts.query or parts.fragment or "?" in url or "#" in url:
            raise Rejected("must not contain a query or a fragment")
        if any(character.isspace() or ord(character) < 0x20 or character == "\\" for character in url):
            raise Rejected("must not contain spaces, backslashes or control characters")
        if parts.scheme not in {"https", "http"} or not host:
            raise Rejected("must be a URL of the form https://…/")
        literal = _literal(host)
        if literal is None and not _HOST.fullmatch(host):
            raise Rejected("must name a host")
        loopback = host == "localhost" or (literal is not None and literal.is_loopback)
        if loopback and not self.loopback:
            raise Rejected("loopback addresses are for local runs only")
        if parts.scheme == "http" and not loopback:
            raise Rejected("must start with https://")
        if literal is not None:
            self.verify_address(host, str(literal))
        return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}/"


def normalized_ado_url(url: str, policy: AddressPolicy) -> str:
    """Return the URL of the organization or collection to which ``url``, copied from a browser, belongs.

    Raises Rejected for a URL that the policy forbids or that names no organization.

    https://learn.microsoft.com/azure/devops/extend/develop/work-with-urls
    """
    verified = policy.verify_url(url)
    parts = urlsplit(verified)
    segments = [segment for segment in parts.path.split("/") if segment]
    if parts.hostname == _DEV_AZURE:
        if not segments:
            raise Rejected("names no organization: https://dev.azure.com/{organization}/")
        return f"https://{_DEV_AZURE}/{segments[0]}/"
    if (parts.hostname or "").endswith(_VISUAL_STUDIO):
        return f"https://{parts.netloc}/"
    return verified


def is_bare_host(text: str) -> bool:
    """Tell a host name typed without ``https://`` from a URL."""
    return "/" not in text.rstrip("/") and bool(_HOST.fullmatch(text.rstrip("/")))


def search_url_for(ado_url: str) -> str:
    """Return the URL of the organization's search service.

    https://learn.microsoft.com/rest/api/azure/devops/search/work-item-search-results
    """
    parts = urlsplit(ado_url)
    host = parts.hostname or ""
    if host == _DEV_AZURE:
        return f"https://almsearch.{_DEV_AZURE}{parts.path}"
    if host.endswith(_VISUAL_STUDIO):
        return f"https://{host.removesuffix(_VISUAL_STUDIO)}.almsearch{_VISUAL_STUDIO}/"
    return ado_url  # On Azure DevOps Server the search extension answers under the collection itself.


def is_loopback_url(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    literal = _literal(host)
    return host == "localhost" or (literal is not None and literal.is_loopback)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise Rejected("must be a URL of the form https://…/") from error
    return parts


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _unwrapped(ip: Address) -> Address:
    """Return the IPv4 address inside a mapped, tunnelled or translated IPv6 one."""
    if isinstance(ip, ipaddress.IPv6Address):
        if inner := ip.ipv4_mapped or ip.sixtofour:
            return inner
        if ip in _NAT64:
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip


def _is_public(ip: Address) -> bool:
    # Site-local addresses are an older kind of private address; Python calls them global.
    return ip.is_global and not (isinstance(ip, ipaddress.IPv6Address) and ip.is_site_local)
