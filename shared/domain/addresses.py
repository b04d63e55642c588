"""Which addresses the app may connect to, which of them get its tokens, and their normalized form.

The author of an organization's document decides where our tokens go. An address is therefore checked
three times: as text when it is stored, by its host before each request gets credentials, and as an IP
address at each connection.
"""

import ipaddress
import itertools
import re
from collections.abc import Callable, Iterable
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from shared.domain.errors import Rejected
from shared.domain.paths import verify_path

_DEV_AZURE = "dev.azure.com"
_VISUAL_STUDIO = ".visualstudio.com"
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_BARE_HOST = re.compile(f"{_HOST.pattern}/*")
_UNFIT = re.compile(r"[\s\\\x00-\x1f]")
_NOT_TRUSTED = "our tokens go to known hosts only; if this one is yours, name it in TRUSTED_HOSTS"

# Hosts that get our tokens without being named in a setting, and those with exactly one label before them:
# deeper names below these domains belong to other services and to their customers.
# https://learn.microsoft.com/azure/devops/organizations/security/allow-list-ip-url
_KNOWN = frozenset({_DEV_AZURE, f"almsearch.{_DEV_AZURE}", "sentry.io"})
_KNOWN_BELOW = re.compile(
    r"([a-z0-9][a-z0-9-]*)\.(?:visualstudio\.com|almsearch\.visualstudio\.com|sentry\.io)"
)
# What the addresses of Sentry's pages and of its API begin with.
_SENTRY_PAGES = frozenset(
    (
        *("activity", "alerts", "api", "auth", "crons", "dashboards", "discover", "explore", "extensions"),
        *("feedback", "getting-started", "insights", "issues", "manage", "monitors", "onboarding"),
        *("organizations", "performance", "prevent", "profiling", "projects", "releases"),
        *("replays", "settings", "stats", "teams", "traces", "user-feedback"),
    )
)
_INGEST = "ingest"  # where clients of Sentry send events, as everybody may

# Instance metadata and the platform's own agent, forbidden whatever the routing says.
# https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
_FORBIDDEN = frozenset(map(ipaddress.ip_address, ("169.254.169.254", "168.63.129.16", "fd00:ec2::254")))

# What belongs to one link, to a group or to nobody; and this machine.
_NEVER = tuple(
    map(
        ipaddress.ip_network,
        ("0.0.0.0/32", "169.254.0.0/16", "224.0.0.0/4", "::/128", "fe80::/10", "ff00::/8"),
    )
)
_LOOPBACK = tuple(map(ipaddress.ip_network, ("127.0.0.0/8", "::1/128")))
# What is not reached through the public internet. Python's own tables change between patch releases.
# https://www.iana.org/assignments/iana-ipv4-special-registry
_PRIVATE_IPV4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
            *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        ),
    )
)
# https://www.iana.org/assignments/iana-ipv6-special-registry
_PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")
_PRIVATE_IPV6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20")))

# Prefixes whose last 32 bits are an IPv4 address: compatible, mapped, translated, and that of NAT64.
_IPV4_AT_THE_END = tuple(
    map(
        ipaddress.IPv6Network,
        ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96"),
    )
)
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_6TO4 = ipaddress.IPv6Network("2002::/16")
_TEREDO = ipaddress.IPv6Network("2001::/32")
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})  # https://www.rfc-editor.org/rfc/rfc5214#section-6.1
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressPolicy(msgspec.Struct, frozen=True):
    """The sets of hosts hold lower-case names; ``loopback`` is for local runs, with storage on loopback."""

    private_hosts: frozenset[str] = frozenset()
    trusted_hosts: frozenset[str] = frozenset()
    loopback: bool = False

    def verify_address(self, host: str, address: str) -> None:
        """Raise Rejected unless a connection to ``host``, which resolves to ``address``, is allowed."""
        ip = ipaddress.ip_address(address.partition("%")[0])
        inner = _ipv4_inside(ip)
        if any(_is_in(each, _LOOPBACK) for each in (ip, *inner)):
            if not self.loopback:
                raise Rejected(f"{host}: loopback addresses are for local runs only")
        elif any(_is_forbidden(each) for each in (ip, *inner)):
            raise Rejected(f"{host}: link-local and metadata addresses are never allowed")
        elif not _is_public(ip, inner) and _bare(host) not in self.private_hosts:
            raise Rejected(f"{host}: a private address needs the host name in ALLOWED_PRIVATE_HOSTS")

    def verify_scheme(self, url: str) -> None:
        """Raise Rejected for plain http, unless it stays on this machine."""
        parts = _split(url)
        if parts.scheme != "https" and not self._is_local(_bare(parts.hostname)):
            raise Rejected(f"{_bare(parts.hostname)}: must start with https://")

    def verify_trusted(self, url: str) -> None:
        """Raise Rejected unless a request to ``url`` may carry our credentials."""
        host = _bare(_split(url).hostname)
        if not self._is_local(host) and not self._is_trusted(host):
            raise Rejected(f"{host}: {_NOT_TRUSTED}")

    def verify_url(self, url: str) -> str:
        """Return ``url`` with a trailing slash, or raise Rejected with what is wrong with it."""
        parts = _split(url)
        host = _bare(parts.hostname)
        if "@" in parts.netloc:
            raise Rejected("must not contain credentials")
        if "?" in url or "#" in url:
            raise Rejected("must not contain a query or a fragment")
        if _UNFIT.search(url):
            raise Rejected("must not contain spaces, backslashes or control characters")
        if parts.scheme not in {"https", "http"} or not host:
            raise Rejected("must be a URL of the form https://…/")
        literal = _literal(host)
        if literal is None and not _HOST.fullmatch(host):
            raise Rejected("must name a host")
        local = self._is_local(host)
        if parts.scheme == "http" and not local:
            raise Rejected("must start with https://")
        if literal is not None:
            self.verify_address(host, str(literal))
        if not local and not self._is_trusted(host):
            raise Rejected(_NOT_TRUSTED)
        path = parts.path.rstrip("/")
        verify_path(path)
        port = f":{parts.port}" if parts.port is not None else ""
        return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{path}/"

    def leads_to(self, url: str, base_url: str) -> bool:
        """Tell whether an address that a server names as its own is: people click it.

        It is, at the host of ``base_url`` or at one with one label before it, or at a host that the operator
        named: the address that an API is called by may be another than people's.
        """
        try:
            parts, base = _split(url), _split(base_url)
        except Rejected:
            return False
        host, ours = _bare(parts.hostname), _bare(base.hostname)
        if "@" in parts.netloc or not (_HOST.fullmatch(host) or _literal(host)):
            return False
        if parts.scheme == "https" and host in self.trusted_hosts | self.private_hosts:
            return True
        below = host.partition(".")[2]
        is_ours = ours in {host, below} or (_is_loopback(host) and _is_loopback(ours))
        return is_ours and (parts.scheme, parts.port) == (base.scheme, base.port)

    def _is_local(self, host: str) -> bool:
        """Tell whether a host is this machine; raise Rejected if it is and this is no local run."""
        if not _is_loopback(host):
            return False
        if not self.loopback:
            raise Rejected("loopback addresses are for local runs only")
        return True

    def _is_trusted(self, host: str) -> bool:
        if host in _KNOWN or host in self.trusted_hosts or host in self.private_hosts:
            return True
        below = _KNOWN_BELOW.fullmatch(host)
        return below is not None and below[1] != _INGEST


def normalized_ado_url(url: str, policy: AddressPolicy) -> str:
    """Return the URL of the organization or collection to which ``url``, copied from a browser, belongs.

    On a Server, what stands before a page may still name a project (``may_name_project``). Raises Rejected
    for a URL that the policy forbids or that names no organization.

    https://learn.microsoft.com/azure/devops/extend/develop/work-with-urls
    """
    verified = policy.verify_url(_page_alone(url, _is_ado_page))
    parts = parts_of(verified)
    host = _bare(parts.hostname)
    segments = _above_pages(parts.path)
    if host == _DEV_AZURE:
        if not segments:
            raise Rejected("names no organization: https://dev.azure.com/{organization}/")
        return f"https://{_DEV_AZURE}/{segments[0]}/"
    if host.endswith(_VISUAL_STUDIO):
        return f"https://{parts.netloc}/"
    if len(segments) == len(_segments(parts.path)):
        return verified
    if not segments:
        raise Rejected("names no collection: https://server/tfs/{collection}/")
    return _at(parts, segments)


def may_name_project(url: str) -> bool:
    """Tell whether an address of a Server leads to a page: what stands before that may be a project's."""
    try:
        parts = _split(url)
    except Rejected:
        return False
    host = _bare(parts.hostname)
    is_server = host != _DEV_AZURE and not host.endswith(_VISUAL_STUDIO)
    return is_server and len(_above_pages(parts.path)) < len(_segments(parts.path))


def above(url: str) -> str | None:
    """Return the address one segment shorter, or None if that names nothing but a host."""
    parts = parts_of(url)
    segments = _segments(parts.path)[:-1]
    return _at(parts, segments) if segments else None


def normalized_sentry_url(url: str, policy: AddressPolicy) -> str:
    """Return the URL of the server to which ``url``, copied from a browser, belongs.

    Sentry answers at the root of its host, https://develop.sentry.dev/self-hosted/. Raises Rejected for a
    URL that the policy forbids, or whose path is none of Sentry's pages.
    """
    parts = parts_of(policy.verify_url(_page_alone(url, _is_sentry_page)))
    segments = _segments(parts.path)
    if segments and segments[0] not in _SENTRY_PAGES:
        raise Rejected("must name a host and no path: Sentry answers at the root of its host")
    return _at(parts, [])


def _page_alone(url: str, is_page: Callable[[SplitResult], bool]) -> str:
    """Return a page's address without query and fragment, which belong to the page and are cut with it."""
    parts = _split(url)
    if _UNFIT.search(url) or not is_page(parts):
        return url
    return parts._replace(query="", fragment="").geturl()


def _is_ado_page(parts: SplitResult) -> bool:
    host, segments = _bare(parts.hostname), _segments(parts.path)
    if host.endswith(_VISUAL_STUDIO):
        return bool(segments)
    return len(segments) > (1 if host == _DEV_AZURE else len(_above_pages(parts.path)))


def _is_sentry_page(parts: SplitResult) -> bool:
    segments = _segments(parts.path)
    return bool(segments) and segments[0] in _SENTRY_PAGES


def _segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]


def _above_pages(path: str) -> list[str]:
    """Return the segments before the first that leads to a page or to the API: those begin with ``_``."""
    return list(itertools.takewhile(lambda each: not each.startswith("_"), _segments(path)))


def _at(parts: SplitResult, segments: Iterable[str]) -> str:
    return "/".join([f"{parts.scheme}://{parts.netloc}", *segments, ""])


def parts_of(url: str) -> SplitResult:
    """Return the parts of an address; all are empty if nothing can be made of it.

    What is stored, and what a service answers, may have been written by hand.
    """
    return _split(url) if is_whole(url) else SplitResult("", "", "", "", "")


def is_whole(url: str) -> bool:
    """Tell whether an address can be taken apart at all."""
    try:
        _split(url)
    except Rejected:
        return False
    return True


def origin_of(url: str) -> str:
    parts = parts_of(url)
    return f"{parts.scheme}://{parts.netloc}"


def is_bare_host(text: str) -> bool:
    """Tell a host name typed without ``https://`` from a URL."""
    return _BARE_HOST.fullmatch(text) is not None


def search_url_for(ado_url: str) -> str:
    """Return the URL of the organization's search service.

    https://learn.microsoft.com/rest/api/azure/devops/search/work-item-search-results
    """
    parts = parts_of(ado_url)
    host = _bare(parts.hostname)
    if host == _DEV_AZURE:
        return f"https://almsearch.{_DEV_AZURE}{parts.path}"
    if host.endswith(_VISUAL_STUDIO):
        return f"https://{host.removesuffix(_VISUAL_STUDIO)}.almsearch{_VISUAL_STUDIO}/"
    return ado_url  # On Azure DevOps Server the search extension answers under the collection itself.


def ado_name(ado_url: str) -> str:
    """Return the name of the organization or collection that an address leads to."""
    parts = parts_of(ado_url)
    host = _bare(parts.hostname)
    if host.endswith(_VISUAL_STUDIO):
        return host.removesuffix(_VISUAL_STUDIO)
    return unquote((_segments(parts.path) or [""])[-1])


def is_loopback_url(url: str) -> bool:
    return _is_loopback(_bare(parts_of(url).hostname))


def hosts_in(text: str) -> frozenset[str]:
    """Return the host names of a comma-separated list, normalized as this module compares them."""
    return frozenset(host for each in text.split(",") if (host := _bare(each.strip().strip("[]"))))


def _bare(host: str | None) -> str:
    """Return a host name in lower case and without the dot that may end it."""
    return (host or "").lower().rstrip(".")


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


def _is_loopback(host: str) -> bool:
    literal = _literal(host)
    return host == "localhost" or (literal is not None and _is_in(literal, _LOOPBACK))


def _ipv4_inside(ip: Address) -> list[ipaddress.IPv4Address]:
    """Return the IPv4 addresses that an IPv6 address carries, in each of the ways that carry one."""
    if isinstance(ip, ipaddress.IPv4Address):
        return []
    bits, inside = int(ip), []
    last = ipaddress.IPv4Address(bits & 0xFFFFFFFF)
    if any(ip in network for network in _IPV4_AT_THE_END) or (bits >> 32) & 0xFFFFFFFF in _ISATAP:
        inside.append(last)
    if ip in _LOCAL_NAT64:
        # It stands at the end, or right behind the 48 bits of the prefix, around a byte of zeros.
        # https://www.rfc-editor.org/rfc/rfc6052#section-2.2
        behind = ipaddress.IPv4Address((bits >> 64 & 0xFFFF) << 16 | bits >> 40 & 0xFFFF)
        inside += [each for each in (last, behind) if int(each)]
    if ip in _6TO4:  # https://www.rfc-editor.org/rfc/rfc3056#section-2
        inside.append(ipaddress.IPv4Address(bits >> 80 & 0xFFFFFFFF))
    if (
        ip in _TEREDO
    ):  # Its server, and its client in complement: https://www.rfc-editor.org/rfc/rfc4380#section-4
        inside += [ipaddress.IPv4Address(bits >> 64 & 0xFFFFFFFF), ipaddress.IPv4Address(~bits & 0xFFFFFFFF)]
    return inside


def _is_in(ip: Address, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    return any(ip in network for network in networks)


def _is_forbidden(ip: Address) -> bool:
    return ip in _FORBIDDEN or _is_in(ip, _NEVER)


def _is_public(ip: Address, inside: Iterable[ipaddress.IPv4Address]) -> bool:
    if isinstance(ip, ipaddress.IPv4Address):
        return _is_public_ipv4(ip)
    if not all(map(_is_public_ipv4, inside)):
        return False
    if ip in _NAT64 or ip in _MAPPED:  # The address inside is the one that is reached.
        return True
    return ip in _PUBLIC_IPV6 and not _is_in(ip, _PRIVATE_IPV6)


def _is_public_ipv4(ip: ipaddress.IPv4Address) -> bool:
    return not _is_in(ip, _PRIVATE_IPV4)
