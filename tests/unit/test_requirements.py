"""What gets installed: exactly what was asked for, in one version a Python, each file known by its hash."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec
import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
RUNTIME, DEMONSTRATION = "requirements", "requirements-demo"
DEVELOPMENT, MODELS = "requirements-dev", "requirements-models"
OPERATE = "requirements-operate"
ALL = [RUNTIME, DEMONSTRATION, OPERATE, DEVELOPMENT, MODELS]
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = (("linux", "posix", "Linux"), ("darwin", "posix", "Darwin"), ("win32", "nt", "Windows"))
ADVICE = "run `make lock`"

_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})(?= \\$|$)", re.MULTILINE)


class Pin(msgspec.Struct, frozen=True):
    """One release in a lock file: when it is installed, which files of it may be, and on whose behalf."""

    requirement: Requirement
    hashes: frozenset[str]
    wanted_by: frozenset[str]


Environment = dict[str, str]
ENVIRONMENTS: list[Environment] = [
    {
        **{name: str(value) for name, value in default_environment().items()},
        "python_version": python,
        "python_full_version": f"{python}.1",
        "implementation_version": f"{python}.1",
        "sys_platform": sys_platform,
        "os_name": os_name,
        "platform_system": platform_system,
    }
    for python in PYTHONS
    for sys_platform, os_name, platform_system in PLATFORMS
]


def lines_of(name: str) -> list[str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@cache
def asked_for(name: str) -> tuple[Requirement, ...]:
    """Return what a person wrote down, without the line that brings in another file."""
    return tuple(Requirement(line) for line in lines_of(f"{name}.in") if not line.startswith("-r "))


@cache
def pins(name: str) -> tuple[Pin, ...]:
    """Read a lock file as pip does: a release, its hashes below it; and, in comments, who wants it."""
    blocks = re.split(r"\n(?=\S)", "\n".join(lines_of(f"{name}.txt")))
    return tuple(map(_pin, blocks))


def _pin(block: str) -> Pin:
    first, *others = block.splitlines()
    told = [line.strip().removeprefix("#").strip() for line in others if line.strip().startswith("#")]
    wanted_by = {line.removeprefix("via").strip() for line in told} - {""}
    return Pin(Requirement(first.removesuffix("\\")), frozenset(_HASH.findall(block)), frozenset(wanted_by))


def applies(requirement: Requirement, environment: Environment) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(environment)


def installed(name: str, environment: Environment) -> dict[str, Pin]:
    """Return what a lock file installs somewhere, by package."""
    found = [pin for pin in pins(name) if applies(pin.requirement, environment)]
    by_package: dict[str, Pin] = {canonicalize_name(pin.requirement.name): pin for pin in found}
    assert len(by_package) == len(found), f"{name}.txt: a package in two versions at once; {ADVICE}"
    return by_package


def version_of(pin: Pin) -> str:
    [specifier] = pin.requirement.specifier
    return specifier.version


def everywhere(name: str) -> Iterator[tuple[Environment, dict[str, Pin]]]:
    for environment in ENVIRONMENTS:
        yield environment, installed(name, environment)


@pytest.mark.parametrize("name", ALL)
def test_every_package_is_one_version_and_known_by_its_hashes(name: str) -> None:
    for pin in pins(name):
        assert re.fullmatch(r"==[^*,]+", str(pin.requirement.specifier)), f"{pin.requirement}; {ADVICE}"
        assert pin.hashes, f"{pin.requirement} has no hash; {ADVICE}"
        assert pin.requirement.url is None


@pytest.mark.parametrize("name", ALL)
def test_what_is_asked_for_is_what_is_pinned(name: str) -> None:
    for environment, locked in everywhere(name):
        wanted = {
            canonicalize_name(each.name): each for each in asked_for(name) if applies(each, environment)
        }
        own = {package for package, pin in locked.items() if f"-r {name}.in" in pin.wanted_by}
        assert own == set(wanted), ADVICE
        for package, requirement in wanted.items():
            assert requirement.specifier.contains(version_of(locked[package])), f"{requirement}; {ADVICE}"


@pytest.mark.parametrize(
    ("more", "less"), [(DEMONSTRATION, RUNTIME), (DEVELOPMENT, DEMONSTRATION), (DEVELOPMENT, OPERATE)]
)
def test_what_is_shown_is_what_is_deployed_and_more_and_what_is_tested_is_both(more: str, less: str) -> None:
    assert f"-r {less}.txt" in lines_of(f"{more}.in")
    for environment, locked in everywhere(more):
        for package, pin in installed(less, environment).items():
            assert version_of(locked[package]) == version_of(pin), f"{package}; {ADVICE}"
            assert locked[package].hashes == pin.hashes, f"{package}; {ADVICE}"


@pytest.mark.parametrize("name", ALL)
def test_a_lock_file_says_what_to_install_and_not_from_where(name: str) -> None:
    text = (ROOT / f"{name}.txt").read_text(encoding="utf-8")
    assert set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", text)) <= {"--hash", "-r", "-c"}
    assert "/" not in text


def test_every_development_tool_of_npm_is_known_by_its_hash() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    asked_for = packages.pop("")
    for name, version in {**asked_for["dependencies"], **asked_for["devDependencies"]}.items():
        assert packages[f"node_modules/{name}"]["version"] == version
    assert [
        name for name, each in packages.items() if not each.get("integrity", "").startswith("sha512-")
    ] == []
