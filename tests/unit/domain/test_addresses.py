"""Which addresses the app may connect to, and the one form in which each is written."""

import pytest

from shared.domain.addresses import (
    AddressPolicy,
    is_bare_host,
    is_loopback_url,
    normalized_ado_url,
    search_url_for,
)
from shared.domain.errors import Rejected

DEPLOYED = AddressPolicy(private_hosts=frozenset({"tfs.corp.example", "10.0.0.7"}))
LOCAL_RUN = AddressPolicy(loopback=True)


@pytest.mark.parametrize(
    ("url", "verified"),
    [
        ("https://sentry.io/", "https://sentry.io/"),
        ("https://sentry.io", "https://sentry.io/"),
        ("https://sentry.io///", "https://sentry.io/"),
        ("HTTPS://Sentry.IO/Path/", "https://sentry.io/Path/"),
        ("https://sentry.corp.example:8443/sentry", "https://sentry.corp.example:8443/sentry/"),
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
        ("http://sentry.io/", "must start with https://"),
        ("http://10.0.0.7/", "must start with https://"),
        ("ftp://sentry.io/", "of the form https://"),
        ("file:///etc/passwd", "of the form https://"),
        ("sentry.io", "of the form https://"),
        ("//sentry.io/", "of the form https://"),
        ("https:///path", "of the form https://"),
        ("https://", "of the form https://"),
        ("", "of the form https://"),
        ("https://sentry.io:http/", "of the form https://"),
        ("https://sentry.io:65536/", "of the form https://"),
        ("https://[::1/", "of the form https://"),
        ("https://ann@sentry.io/", "credentials"),
        ("https://ann:pat@sentry.io/", "credentials"),
        ("https://@sentry.io/", "credentials"),
        ("https://sentry.io@evil.example/", "credentials"),
        ("https://sentry.io/?a=b", "query"),
        ("https://sentry.io/?", "query"),
        ("https://sentry.io/#a", "query"),
        ("https://sentry.io/#", "query"),
        ("https://sentry.io /", "spaces"),
        (" https://sentry.io/", "spaces"),
        ("https://sentry.io/\n", "spaces"),
        ("https://sen\ttry.io/", "spaces"),
        ("https://sentry.io/\x00", "spaces"),
        ("https://sentry.io\\@evil.example/", "credentials"),
        ("https://sentry.io\\evil", "spaces"),
        ("https://séntry.io/", "must name a host"),
        ("https://-sentry.io/", "must name a host"),
        ("https://127.0.0.1/", "local runs only"),
        ("https://127.8.9.10/", "local runs only"),
        ("https://localhost/", "local runs only"),
        ("https://LOCALHOST./", "local runs only"),
        ("http://localhost:8080/", "local runs only"),
        ("https://[::1]/", "local runs only"),
        ("https://[::ffff:127.0.0.1]/", "local runs only"),
        ("https://169.254.169.254/metadata", "never allowed"),
        ("https://168.63.129.16/", "never allowed"),
        ("https://0.0.0.0/", "never allowed"),
        ("https://[fe80::1]/", "never allowed"),
        ("https://10.0.0.8/", "ALLOWED_PRIVATE_HOSTS"),
        ("https://[fd12::1]/", "ALLOWED_PRIVATE_HOSTS"),
    ],
)
def test_an_address_that_could_leak_a_token_is_refused_with_the_reason(url: str, problem: str) -> None:
    with pytest.raises(Rejected, match=problem):
        DEPLOYED.verify_url(url)


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
]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_for_hosts_that_the_operator_named(address: str) -> None:
    DEPLOYED.verify_address("tfs.corp.example", address)
    DEPLOYED.verify_address("TFS.corp.example", address)
    for policy, host in ((DEPLOYED, "sentry.io"), (LOCAL_RUN, "tfs.corp.example")):
        with pytest.raises(Rejected, match="ALLOWED_PRIVATE_HOSTS"):
            policy.verify_address(host, address)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "2002:7f00:1::1"])
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
        ("https://evil.example/dev.azure.com/x/", "https://evil.example/dev.azure.com/x/"),
    ],
)
def test_any_address_copied_from_a_browser_becomes_the_organizations_url(url: str, normalized: str) -> None:
    assert normalized_ado_url(url, DEPLOYED) == normalized


@pytest.mark.parametrize(
    "url",
    ["https://dev.azure.com/", "https://dev.azure.com", "dev.azure.com", "http://dev.azure.com/fabrikam/"],
)
def test_an_ado_url_that_names_no_organization_is_refused(url: str) -> None:
    with pytest.raises(Rejected):
        normalized_ado_url(url, DEPLOYED)


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
