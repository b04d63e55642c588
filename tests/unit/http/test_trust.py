"""Whom the app trusts: the public authorities always, the house's own if the file can be used."""

import ssl
from pathlib import Path

import pytest
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from shared.http.trust import Trust, trust_in
from simulator.certificate import Authority

PUBLIC = len(ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH).get_ca_certs())


def authorities(bundle: str) -> int:
    return len(ssl.create_default_context(cafile=bundle).get_ca_certs())


def test_without_a_file_the_public_authorities_are_trusted() -> None:
    assert trust_in("") == Trust(DEFAULT_CA_BUNDLE_PATH)


def test_authorities_of_the_house_come_on_top(tmp_path: Path) -> None:
    one, other = (Authority(tmp_path, name) for name in ("one", "other"))
    file = tmp_path / "own.pem"
    file.write_text(f"# The house's own\n{one.path.read_text()}\n{other.path.read_text()}")
    trust = trust_in(str(file))
    assert trust.problem == ""
    assert authorities(trust.bundle) == PUBLIC + 2


def test_a_key_that_is_in_the_file_is_not_copied(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    file = tmp_path / "both.pem"
    file.write_text(authority.path.with_suffix(".key").read_text() + authority.path.read_text())
    trust = trust_in(str(file))
    assert trust.problem == ""
    assert "PRIVATE KEY" not in Path(trust.bundle).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "a file that does not exist"),
        (b"", "without a certificate in PEM"),
        (b"\x30\x82\x01\x0a\x02\xff", "without a certificate in PEM"),
        (b"-----BEGIN CERTIFICATE-----\nMIIB", "without a certificate in PEM"),
        (
            b"-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----",
            "certificate 1 cannot be read",
        ),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "certificate 1 cannot be read"),
        (b"-----BEGIN CERTIFICATE-----\n\xff\xfe\n-----END CERTIFICATE-----", "certificate 1 cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_stops_nothing(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    file = tmp_path / "own.pem"
    if content is not None:
        file.write_bytes(content)
    trust = trust_in(str(file))
    assert trust.bundle == DEFAULT_CA_BUNDLE_PATH
    assert trust.problem.startswith("REQUESTS_CA_BUNDLE ")
    assert problem in trust.problem
    assert str(tmp_path) not in trust.problem  # Health tells it to anybody.


def test_one_bad_certificate_among_good_ones_is_named_by_its_place(tmp_path: Path) -> None:
    file = tmp_path / "own.pem"
    bad = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
    file.write_bytes(Authority(tmp_path).path.read_bytes() + bad)
    assert "certificate 2 cannot be read" in trust_in(str(file)).problem


@pytest.mark.parametrize("path", ["/", "a\0b"])
def test_what_is_no_file_is_named(path: str) -> None:
    trust = trust_in(path)
    assert trust.bundle == DEFAULT_CA_BUNDLE_PATH
    assert trust.problem
