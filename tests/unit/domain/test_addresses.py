"""Which addresses the app may connect to, and the one form in which each is written."""

import ipaddress

import pytest

from shared.domain.addresses import (
    AddressPolicy,
    above,
    ado_name,
    hosts_in,
    is_bare_host,
    is_loopback_url,
    is_whole,
    may_name_project,
    normalized_ado_url,
    normalized_sentry_url,
    origin_of,
    parts_of,
    search_url_for,
)
from shared.domain.errors import Rejected

DEPLOYED = AddressPolicy(
    private_hosts=frozenset({"tfs.corp.example", "10.0.0.7"}),
    trusted_hosts=frozenset({"sentry.corp.example", "203.0.114.9", "2606:4700::1111"}),
)
LOCAL_RUN = AddressPolicy(loopback=True)

NO_URL = "must be a URL of the form https://…/"
PLAIN = "must start with https://"
CREDENTIALS = "must not contain credentials"
QUERY = "must not contain a query or a fragment"
SPACES = "must not contain spaces, backslashes or control characters"
NO_HOST = "must name a host"
GAPS = "must not contain empty segments, . or .."
LOCAL_ONLY = "loopback addresses are for local runs only"
NEVER = "link-local and metadata addresses are never allowed"
NAMED_ONLY = "a private address needs the host name in ALLOWED_PRIVATE_HOSTS"


@pytest.mark.parametrize(
    ("url", "verified"),
    [
        ("https://sentry.io/", "https://sentry.io/"),
        ("https://sentry.io", "https://sentry.io/"),
        ("https://sentry.io///", "https://sentry.io/"),
        ("HTTPS://Sentry.IO/Path/", "https://sentry.io/Path/"),
        ("https://sentry.io./", "https://sentry.io/"),
        ("https://DEV.azure.com.:443/fabrikam", "https://dev.azure.com:443/fabrikam/"),
        ("https://sentry.corp.example:8443/sentry", "https://sentry.corp.example:8443/sentry/"),
        ("https://sentry.corp.example/UX/", "https://sentry.corp.example/UX/"),
        ("https://203.0.114.9/", "https://203.0.114.9/"),
        ("https://[2606:4700::1111]/", "https://[2606:4700::1111]/"),
        ("https://10.0.0.7/", "https://10.0.0.7/"),  # named by the operator
    ],
)
def test_a_public_address_gets_one_form(url: str, verified: str) -> None:
    assert DEPLOYED.verify_url(url) == verified
    assert DEPLOYED.verify_url(verified) == verified


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://sentry.io/", PLAIN),
        ("http://10.0.0.7/", PLAIN),
        ("ftp://sentry.io/", NO_URL),
        ("file:///etc/passwd", NO_URL),
        ("sentry.io", NO_URL),
        ("//sentry.io/", NO_URL),
        ("https:///path", NO_URL),
        ("https://", NO_URL),
        ("", NO_URL),
        ("https://sentry.io:http/", NO_URL),
        ("https://sentry.io:65536/", NO_URL),
        ("https://[::1/", NO_URL),
        ("https://ann@sentry.io/", CREDENTIALS),
        ("https://ann:pat@sentry.io/", CREDENTIALS),
        ("https://@sentry.io/", CREDENTIALS),
        ("https://sentry.io@evil.example/", CREDENTIALS),
        ("https://sentry.io/?a=b", QUERY),
        ("https://sentry.io/?", QUERY),
        ("https://sentry.io/#a", QUERY),
        ("https://sentry.io/#", QUERY),
        ("https://sentry.io /", SPACES),
        (" https://sentry.io/", SPACES),
        ("https://sentry.io/\n", SPACES),
        ("https://sen\ttry.io/", SPACES),
        ("https://sentry.io/\x00", SPACES),
        ("https://sentry.io\\@evil.example/", CREDENTIALS),
        ("https://sentry.io\\evil", SPACES),
        ("https://séntry.io/", NO_HOST),
        ("https://-sentry.io/", NO_HOST),
        ("https://127.0.0.1/", LOCAL_ONLY),
        ("https://127.8.9.10/", LOCAL_ONLY),
        ("https://localhost/", LOCAL_ONLY),
        ("https://LOCALHOST./", LOCAL_ONLY),
        ("http://localhost:8080/", LOCAL_ONLY),
        ("https://[::1]/", LOCAL_ONLY),
        ("https://[::ffff:127.0.0.1]/", f"::ffff:127.0.0.1: {LOCAL_ONLY}"),
        ("https://169.254.169.254/metadata", f"169.254.169.254: {NEVER}"),
        ("https://168.63.129.16/", f"168.63.129.16: {NEVER}"),
        ("https://0.0.0.0/", f"0.0.0.0: {NEVER}"),
        ("https://[fe80::1]/", f"fe80::1: {NEVER}"),
        ("https://sentry.io/../x/", GAPS),
        ("https://sentry.io/a/./b/", GAPS),
        ("https://sentry.io/a/%2e%2E/b/", GAPS),
        ("https://sentry.io/a/..%2fb/", GAPS),
        ("https://sentry.io/a//b/", GAPS),
        ("https://10.0.0.8/", f"10.0.0.8: {NAMED_ONLY}"),
        ("https://[fd12::1]/", f"fd12::1: {NAMED_ONLY}"),
    ],
)
def test_an_address_that_could_leak_a_token_is_refused_with_the_reason(url: str, problem: str) -> None:
    with pytest.raises(Rejected) as raised:
        DEPLOYED.verify_url(url)
    assert raised.value.detail == problem


@pytest.mark.parametrize(
    ("url", "verified"),
    [
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000/"),
        ("http://localhost:9000/", "http://localhost:9000/"),
        ("http://[::1]:9000/", "http://[::1]:9000/"),
        ("https://localhost/", "https://localhost/"),
        ("https://sentry.io/", "https://sentry.io/"),
    ],
)
def test_a_local_run_may_talk_to_its_own_machine(url: str, verified: str) -> None:
    assert LOCAL_RUN.verify_url(url) == verified


@pytest.mark.parametrize("url", ["http://sentry.io/", "https://10.0.0.8/", "https://169.254.169.254/"])
def test_a_local_run_loosens_nothing_else(url: str) -> None:
    with pytest.raises(Rejected):
        LOCAL_RUN.verify_url(url)


@pytest.mark.parametrize("address", ["203.0.114.9", "2606:4700::1111", "64:ff9b::cb00:7209"])
@pytest.mark.parametrize("policy", [AddressPolicy(), DEPLOYED, LOCAL_RUN])
def test_a_connection_to_a_public_address_is_allowed(policy: AddressPolicy, address: str) -> None:
    policy.verify_address("sentry.io", address)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.1.1",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd00:ec2::254%eth0",
        "fe80::1",
        "fe80::1%eth0",
        "224.0.0.1",
        "ff02::1",
        "0.0.0.0",  # noqa: S104  # the address itself, bound to nothing
        "::",
        # The same in other notations: mapped, translated, tunnelled.
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::168.63.129.16",
        "2002:a9fe:a9fe::1",
        "::169.254.169.254",
        "::ffff:0:169.254.169.254",
        "64:ff9b:1::168.63.129.16",
        "2001:0:a9fe:a9fe::1",
        "2606:4700::5efe:169.254.169.254",
        "64:ff9b:1::5efe:0.0.0.0",
    ],
)
def test_no_policy_allows_a_metadata_or_link_local_address(address: str) -> None:
    everything = AddressPolicy(private_hosts=frozenset({"tfs.corp.example"}), loopback=True)
    with pytest.raises(Rejected, match="never allowed"):
        everything.verify_address("tfs.corp.example", address)


PRIVATE = [
    "10.0.0.7",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "fd12:3456::1",
    "fec0::1",
    "::ffff:10.0.0.7",
    "64:ff9b::10.0.0.7",
    "2002:a00:7::1",
    # The same in other clothes, and what belongs to nobody on the public internet.
    "::10.0.0.7",
    "::ffff:0:10.0.0.7",
    "64:ff9b:1::10.0.0.7",
    "64:ff9b:1:a00:0:700::",
    "2001:0:a00:7::1",
    "2606:4700::5efe:10.0.0.7",
    "fd12::1%eth0",
    "feff::1",
    "100::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "::2:3",
    "0.1.2.3",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "240.0.0.1",
    "255.255.255.255",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_for_hosts_that_the_operator_named(address: str) -> None:
    DEPLOYED.verify_address("tfs.corp.example", address)
    DEPLOYED.verify_address("TFS.corp.example", address)
    for policy, host in ((DEPLOYED, "sentry.io"), (LOCAL_RUN, "tfs.corp.example")):
        with pytest.raises(Rejected, match="ALLOWED_PRIVATE_HOSTS"):
            policy.verify_address(host, address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.10",
        "::1",
        "::1%lo",
        "::ffff:127.0.0.1",
        "2002:7f00:1::1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b:1::127.0.0.1",
        "64:ff9b:1:7f00:0:100::",
        "2001:0:7f00:1::1",
        "2606:4700::5efe:127.0.0.1",
        "fe80::200:5efe:127.0.0.1",
    ],
)
def test_a_host_that_resolves_to_loopback_is_for_local_runs(address: str) -> None:
    LOCAL_RUN.verify_address("tfs.corp.example", address)
    with pytest.raises(Rejected, match="local runs only"):
        DEPLOYED.verify_address("tfs.corp.example", address)


@pytest.mark.parametrize(
    ("url", "normalized"),
    [
        ("https://dev.azure.com/fabrikam/", "https://dev.azure.com/fabrikam/"),
        ("https://dev.azure.com/fabrikam", "https://dev.azure.com/fabrikam/"),
        ("https://DEV.azure.com/Fabrikam/Web%20Shop/_boards", "https://dev.azure.com/Fabrikam/"),
        ("https://dev.azure.com:443/fabrikam/", "https://dev.azure.com/fabrikam/"),
        ("https://fabrikam.visualstudio.com/", "https://fabrikam.visualstudio.com/"),
        ("https://fabrikam.visualstudio.com/DefaultCollection/Web", "https://fabrikam.visualstudio.com/"),
        # On Azure DevOps Server only the operator knows where the collection ends.
        ("https://tfs.corp.example/tfs/DefaultCollection", "https://tfs.corp.example/tfs/DefaultCollection/"),
        # What stands before a page is a collection's or a project's, and whoever asks finds out.
        ("https://tfs.corp.example/tfs/Main/_git/web", "https://tfs.corp.example/tfs/Main/"),
        ("https://tfs.corp.example/Main/Web/_workitems/edit/1", "https://tfs.corp.example/Main/Web/"),
        ("https://tfs.corp.example/Main/_apis/projects/_x", "https://tfs.corp.example/Main/"),
        # What belongs to a page goes with it.
        ("https://dev.azure.com/fabrikam/Web/_workitems?id=31&_a=edit", "https://dev.azure.com/fabrikam/"),
        ("https://dev.azure.com/fabrikam/Web?view=all", "https://dev.azure.com/fabrikam/"),
        ("https://fabrikam.visualstudio.com/Web/_boards#top", "https://fabrikam.visualstudio.com/"),
        ("https://tfs.corp.example:8443/Main/_backlogs?level=Epics", "https://tfs.corp.example:8443/Main/"),
    ],
)
def test_any_address_copied_from_a_browser_becomes_the_organizations_url(url: str, normalized: str) -> None:
    assert normalized_ado_url(url, DEPLOYED) == normalized


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://dev.azure.com/", "names no organization: https://dev.azure.com/{organization}/"),
        ("https://dev.azure.com", "names no organization: https://dev.azure.com/{organization}/"),
        (
            "https://dev.azure.com/_usersSettings/tokens",
            "names no organization: https://dev.azure.com/{organization}/",
        ),
        ("https://tfs.corp.example/_home/About", "names no collection: https://server/tfs/{collection}/"),
        ("dev.azure.com", NO_URL),
        ("http://dev.azure.com/fabrikam/", PLAIN),
        ("https://dev.azure.com/fabrikam/?a=b", QUERY),
        ("https://fabrikam.visualstudio.com/#a", QUERY),
        ("https://tfs.corp.example/Main/?a=_b", QUERY),
        ("https://tfs.corp.example/tfs/Main?a=b", QUERY),
        ("https://dev.azure.com/fabrikam/_boards?a=b c", QUERY),
        ("https://ann:pat@dev.azure.com/fabrikam/_boards?a=b", CREDENTIALS),
    ],
)
def test_an_ado_url_that_names_no_organization_is_refused(url: str, problem: str) -> None:
    with pytest.raises(Rejected) as raised:
        normalized_ado_url(url, DEPLOYED)
    assert raised.value.detail == problem


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("https://tfs.corp.example/Main/Web/_workitems/edit/1", True),
        ("https://tfs.corp.example/Main/_git/web", True),
        ("https://tfs.corp.example/Main/Web/", False),
        ("https://dev.azure.com/fabrikam/Web/_boards", False),
        ("https://fabrikam.visualstudio.com/Web/_boards", False),
        ("https://x:y/_boards", False),
    ],
)
def test_only_a_page_of_a_server_leaves_open_where_the_collection_ends(url: str, may: bool) -> None:
    assert may_name_project(url) is may


@pytest.mark.parametrize(
    ("url", "shorter"),
    [
        ("https://tfs.corp.example/Main/Web/", "https://tfs.corp.example/Main/"),
        ("https://tfs.corp.example/Main/", None),
        ("https://tfs.corp.example/", None),
    ],
)
def test_an_address_is_cut_by_a_segment_down_to_the_first(url: str, shorter: str | None) -> None:
    assert above(url) == shorter


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("https://sentry.io", "https://sentry.io/"),
        ("https://acme.sentry.io/issues/100/", "https://acme.sentry.io/"),
        ("https://de.sentry.io/organizations/acme/", "https://de.sentry.io/"),
        ("https://sentry.io/api/0/", "https://sentry.io/"),
        ("https://sentry.io/settings/acme/developer-settings/", "https://sentry.io/"),
        ("https://acme.sentry.io/issues/?project=1&statsPeriod=14d", "https://acme.sentry.io/"),
        ("https://acme.sentry.io/feedback/#1", "https://acme.sentry.io/"),
        ("https://sentry.corp.example:9000/monitors/", "https://sentry.corp.example:9000/"),
    ],
)
def test_a_page_of_sentry_is_cut_to_its_server(url: str, server: str) -> None:
    assert normalized_sentry_url(url, DEPLOYED) == server


@pytest.mark.parametrize("path", ["acme/frontend/", "sentry/", "issue/", "-"])
def test_sentry_answers_at_no_other_path(path: str) -> None:
    with pytest.raises(Rejected) as raised:
        normalized_sentry_url(f"https://sentry.io/{path}", DEPLOYED)
    assert raised.value.detail == "must name a host and no path: Sentry answers at the root of its host"


@pytest.mark.parametrize(
    ("ado_url", "search_url"),
    [
        ("https://dev.azure.com/fabrikam/", "https://almsearch.dev.azure.com/fabrikam/"),
        ("https://fabrikam.visualstudio.com/", "https://fabrikam.almsearch.visualstudio.com/"),
        (
            "https://tfs.corp.example/tfs/DefaultCollection/",
            "https://tfs.corp.example/tfs/DefaultCollection/",
        ),
        ("http://127.0.0.1:9000/fabrikam/", "http://127.0.0.1:9000/fabrikam/"),
    ],
)
def test_the_search_service_is_found_beside_the_organization(ado_url: str, search_url: str) -> None:
    assert search_url_for(ado_url) == search_url


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("dev.azure.com", True),
        ("dev.azure.com/", True),
        ("dev.azure.com//", True),
        ("fabrikam.visualstudio.com", True),
        ("https://dev.azure.com/", False),
        ("dev.azure.com/fabrikam", False),
        ("fabrikam:443", False),
        ("a b", False),
        ("", False),
    ],
)
def test_a_bare_host_name_is_distinguished_from_a_url(text: str, bare: bool) -> None:
    assert is_bare_host(text) is bare


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:10002/devstoreaccount1", True),
        ("http://localhost:10002", True),
        ("http://[::1]:10002", True),
        ("https://acmesync.table.core.windows.net", False),
        ("https://localhost.evil.example", False),
        ("", False),
    ],
)
def test_a_loopback_url_is_known_by_its_host(url: str, loopback: bool) -> None:
    assert is_loopback_url(url) is loopback


# Who gets our tokens

KNOWN = [
    "dev.azure.com",
    "DEV.Azure.com.",
    "almsearch.dev.azure.com",
    "fabrikam.visualstudio.com",
    "fabrikam-1.visualstudio.com",
    "fabrikam.almsearch.visualstudio.com",
    "sentry.io",
    "sentry.io.",
    "acme.sentry.io",
    "de.sentry.io",
]
UNKNOWN = [
    "evil.example",
    "dev.azure.co",
    "dev.azure.com.evil.example",
    "evildev.azure.com",
    "x.dev.azure.com",
    "azure.com",
    "visualstudio.com",
    "almsearch.visualstudio.com.evil.example",
    "evilvisualstudio.com",
    "a.b.visualstudio.com",
    "x.devtunnels.visualstudio.com",
    "a.b.almsearch.visualstudio.com",
    "evilsentry.io",
    "a.b.sentry.io",
    "ingest.sentry.io",
    "o1.ingest.sentry.io",
    "o1.ingest.us.sentry.io",
    "sentry.io.evil.example",
    "sentry.com",
    "203.0.114.10",
]


@pytest.mark.parametrize("host", KNOWN)
def test_a_known_host_gets_our_tokens(host: str) -> None:
    AddressPolicy().verify_trusted(f"https://{host}/fabrikam/")
    AddressPolicy().verify_url(f"https://{host}/fabrikam/")


@pytest.mark.parametrize("host", UNKNOWN)
def test_any_other_host_gets_none_unless_a_setting_names_it(host: str) -> None:
    url = f"https://{host}/fabrikam/"
    for policy in (AddressPolicy(), LOCAL_RUN, AddressPolicy(trusted_hosts=frozenset({"other.example"}))):
        for verify in (policy.verify_trusted, policy.verify_url):
            with pytest.raises(Rejected, match="TRUSTED_HOSTS"):
                verify(url)
    for named in (AddressPolicy(frozenset({host})), AddressPolicy(trusted_hosts=frozenset({host}))):
        named.verify_trusted(url)
        named.verify_url(url)


def test_a_trusted_host_may_still_not_have_a_private_address() -> None:
    policy = AddressPolicy(trusted_hosts=frozenset({"errors.example"}))
    with pytest.raises(Rejected, match="ALLOWED_PRIVATE_HOSTS"):
        policy.verify_address("errors.example", "10.0.0.7")


def test_this_machine_gets_tokens_in_a_local_run_only() -> None:
    for host in ("localhost", "127.0.0.1", "[::1]"):
        LOCAL_RUN.verify_trusted(f"http://{host}:8080/")
        with pytest.raises(Rejected, match="local runs only"):
            AddressPolicy().verify_trusted(f"http://{host}:8080/")


@pytest.mark.parametrize("policy", [DEPLOYED, LOCAL_RUN, AddressPolicy()])
def test_plain_http_stays_on_this_machine(policy: AddressPolicy) -> None:
    for host in ("sentry.io", "tfs.corp.example", "sentry.corp.example", "localhost.evil.example"):
        with pytest.raises(Rejected) as raised:
            policy.verify_scheme(f"http://{host}/")
        assert raised.value.detail == f"{host}: {PLAIN}"
        policy.verify_scheme(f"https://{host}/")
    LOCAL_RUN.verify_scheme("http://localhost:8080/")


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("", set()),
        (" , ", set()),
        ("tfs.corp.example", {"tfs.corp.example"}),
        (" TFS.Corp.Example. ,sentry.corp.example,", {"tfs.corp.example", "sentry.corp.example"}),
        ("[fd12::1]", {"fd12::1"}),
        ("XRAY.corp.example", {"xray.corp.example"}),
    ],
)
def test_a_list_of_hosts_is_read_as_people_write_it(text: str, hosts: set[str]) -> None:
    assert hosts_in(text) == hosts


# The registries of addresses with a special purpose, row by row.
# https://www.iana.org/assignments/iana-ipv4-special-registry
# https://www.iana.org/assignments/iana-ipv6-special-registry
LOCAL, NEVER_EVER, PRIVATELY, PUBLICLY = "local runs only", "never allowed", "ALLOWED_PRIVATE_HOSTS", ""
REGISTERED = [
    ("0.0.0.0/8", PRIVATELY),
    ("0.0.0.0/32", NEVER_EVER),
    ("10.0.0.0/8", PRIVATELY),
    ("100.64.0.0/10", PRIVATELY),
    ("127.0.0.0/8", LOCAL),
    ("169.254.0.0/16", NEVER_EVER),
    ("172.16.0.0/12", PRIVATELY),
    ("192.0.0.0/24", PRIVATELY),
    ("192.0.0.0/29", PRIVATELY),
    ("192.0.0.8/32", PRIVATELY),
    ("192.0.0.9/32", PRIVATELY),
    ("192.0.0.10/32", PRIVATELY),
    ("192.0.0.170/32", PRIVATELY),
    ("192.0.0.171/32", PRIVATELY),
    ("192.0.2.0/24", PRIVATELY),
    ("192.31.196.0/24", PUBLICLY),
    ("192.52.193.0/24", PUBLICLY),
    ("192.88.99.0/24", PRIVATELY),
    ("192.168.0.0/16", PRIVATELY),
    ("192.175.48.0/24", PUBLICLY),
    ("198.18.0.0/15", PRIVATELY),
    ("198.51.100.0/24", PRIVATELY),
    ("203.0.113.0/24", PRIVATELY),
    ("224.0.0.0/4", NEVER_EVER),
    ("240.0.0.0/4", PRIVATELY),
    ("255.255.255.255/32", PRIVATELY),
    ("::1/128", LOCAL),
    ("::/128", NEVER_EVER),
    ("100::/64", PRIVATELY),
    ("100:0:0:1::/64", PRIVATELY),
    ("2001:1::1/128", PRIVATELY),
    ("2001:1::2/128", PRIVATELY),
    ("2001:1::3/128", PRIVATELY),
    ("2001:2::/48", PRIVATELY),
    ("2001:3::/32", PRIVATELY),
    ("2001:4:112::/48", PRIVATELY),
    ("2001:10::/28", PRIVATELY),
    ("2001:20::/28", PRIVATELY),
    ("2001:30::/28", PRIVATELY),
    ("2001:db8::/32", PRIVATELY),
    ("2620:4f:8000::/48", PUBLICLY),
    ("3fff::/20", PRIVATELY),
    ("5f00::/16", PRIVATELY),
    ("fc00::/7", PRIVATELY),
    ("fe80::/10", NEVER_EVER),
    ("ff00::/8", NEVER_EVER),
]


def ends_of(prefix: str) -> set[str]:
    """Return the second address of a network, one in the middle and the last; of one alone, that."""
    network = ipaddress.ip_network(prefix)
    last = network.num_addresses - 1
    return {str(network[each]) for each in (min(1, last), last // 2 or last, last)}


def judged(address: str) -> str:
    try:
        AddressPolicy().verify_address("sentry.io", address)
    except Rejected as error:
        return next(each for each in (LOCAL, NEVER_EVER, PRIVATELY) if each in error.detail)
    return PUBLICLY


@pytest.mark.parametrize(("prefix", "verdict"), REGISTERED)
def test_every_row_of_the_registries_is_judged(prefix: str, verdict: str) -> None:
    assert {each: judged(each) for each in ends_of(prefix)} == dict.fromkeys(ends_of(prefix), verdict)


def clothes(address: str) -> dict[str, str]:
    """Return an IPv4 address as each prefix of the registry that embeds one would write it."""
    bits = int(ipaddress.IPv4Address(address))
    written = {
        "::/96": bits,
        "::ffff:0:0/96": 0xFFFF << 32 | bits,
        "::ffff:0:0:0/96": 0xFFFF << 48 | bits,
        "64:ff9b::/96": 0x64FF9B << 96 | bits,
        "64:ff9b:1::/48, at the end": 0x64FF9B0001 << 80 | bits,
        "64:ff9b:1::/48, behind it": 0x64FF9B0001 << 80 | (bits >> 16) << 64 | (bits & 0xFFFF) << 40,
        "2002::/16": 0x2002 << 112 | bits << 80 | 1,
        "2001::/32, the server": 0x20010000 << 96 | bits << 64 | 0x01010101,
        "2001::/32, the client": 0x20010000 << 96 | 0x01010101 << 64 | bits ^ 0xFFFFFFFF,
        "ISATAP": 0x2606470000000000 << 64 | 0x5EFE << 32 | bits,
    }
    return {name: str(ipaddress.IPv6Address(each)) for name, each in written.items()}


@pytest.mark.parametrize("prefix", clothes("10.0.0.1"))
@pytest.mark.parametrize(
    ("address", "verdict"),
    [
        ("127.0.0.1", LOCAL),
        ("169.254.169.254", NEVER_EVER),
        ("168.63.129.16", NEVER_EVER),
        ("224.0.0.1", NEVER_EVER),
        ("10.1.2.3", PRIVATELY),
        ("192.0.0.192", PRIVATELY),
        ("100.100.100.200", PRIVATELY),
    ],
)
def test_an_address_inside_another_is_judged_as_itself(address: str, verdict: str, prefix: str) -> None:
    assert judged(clothes(address)[prefix]) == verdict


def test_an_address_that_carries_others_in_two_ways_is_judged_by_all() -> None:
    assert judged("2001:0:101:101:0:5efe:7f00:1") == LOCAL


@pytest.mark.parametrize(
    ("prefix", "verdict"),
    [
        ("::/96", PRIVATELY),
        ("::ffff:0:0/96", PUBLICLY),
        ("64:ff9b::/96", PUBLICLY),
        ("64:ff9b:1::/48, at the end", PRIVATELY),
        ("2002::/16", PUBLICLY),
        ("2001::/32, the server", PRIVATELY),
    ],
)
def test_a_public_address_inside_another_is_as_public_as_its_prefix(prefix: str, verdict: str) -> None:
    assert judged(clothes("13.107.42.20")[prefix]) == verdict


SERVER = "https://errors.corp.example/"


@pytest.mark.parametrize(
    ("url", "base", "theirs"),
    [
        ("https://errors.corp.example/organizations/acme/issues/1/", SERVER, True),
        ("https://acme.errors.corp.example/issues/1/", SERVER, True),
        ("https://ACME.Errors.Corp.Example/issues/1/", SERVER, True),
        ("https://acme.sentry.io/issues/1/", "https://sentry.io/", True),
        ("https://errors.corp.example:8443/issues/1/", "https://errors.corp.example:8443/", True),
        ("http://127.0.0.1:9000/issues/1/", "http://localhost:9000/", True),
        # Named by the operator.
        ("https://sentry.corp.example/issues/1/", SERVER, True),
        ("https://tfs.corp.example:8443/issues/1/", SERVER, True),
        ("http://sentry.corp.example/issues/1/", SERVER, False),
        ("https://a.sentry.corp.example/issues/1/", SERVER, False),
        ("http://127.0.0.1:9001/issues/1/", "http://localhost:9000/", False),
        ("https://a.b.errors.corp.example/issues/1/", SERVER, False),
        ("https://evilerrors.corp.example/issues/1/", SERVER, False),
        ("https://errors.corp.example.evil.example/issues/1/", SERVER, False),
        ("https://corp.example/issues/1/", SERVER, False),
        ("https://evil.example/issues/1/", SERVER, False),
        ("https://127.0.0.1/issues/1/", SERVER, False),
        ("https://errors.corp.example/issues/1/", "https://127.0.0.1/", False),
        ("https://[2001:db8::7]/issues/1/", "https://[2001:db8::7]/", True),
        ("https://[2001:db8::8]/issues/1/", "https://[2001:db8::7]/", False),
        ("https://errors.corp.example@evil.example/", SERVER, False),
        ("https://evil.example@errors.corp.example/", SERVER, False),
        ("https://.errors.corp.example/", SERVER, False),
        ("https://evil.example\\.errors.corp.example/", SERVER, False),
        ("https://errors.corp.example:8443/issues/1/", SERVER, False),
        ("http://errors.corp.example/issues/1/", SERVER, False),
        ("javascript://errors.corp.example/%0aalert(1)", SERVER, False),
        ("https://[::1/", SERVER, False),
        ("", SERVER, False),
    ],
)
def test_a_page_is_a_servers_own_by_its_host(url: str, base: str, theirs: bool) -> None:
    assert DEPLOYED.leads_to(url, base) is theirs


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://dev.azure.com/fabrikam/", "fabrikam"),
        ("https://dev.azure.com/fab%20rikam", "fab rikam"),
        ("https://fabrikam.visualstudio.com/", "fabrikam"),
        ("https://fabrikam.VisualStudio.com./DefaultCollection/", "fabrikam"),
        ("https://tfs.corp.example/tfs/DefaultCollection/", "DefaultCollection"),
        ("https://tfs.corp.example/", ""),
        ("", ""),
    ],
)
def test_an_organization_or_collection_is_named_in_its_address(url: str, name: str) -> None:
    assert ado_name(url) == name


@pytest.mark.parametrize(
    "url", ["https://[dev/", "https://ev\u2100il.example/", "https://tfs:port/", "//[a]b/", "//h:99999/"]
)
def test_nothing_is_made_of_an_address_that_cannot_be_taken_apart(url: str) -> None:
    assert not is_whole(url)
    assert (parts_of(url).hostname, parts_of(url).path, origin_of(url)) == (None, "", "://")
    assert tuple(parts_of(url)) == ("", "", "", "", "")
    assert (above(url), ado_name(url), search_url_for(url), is_loopback_url(url)) == (None, "", url, False)


@pytest.mark.parametrize("url", ["", "dev.azure.com", "https://tfs.corp.example:8443/tfs/"])
def test_any_other_address_has_its_parts(url: str) -> None:
    assert is_whole(url)
    assert parts_of(url).geturl() == url
