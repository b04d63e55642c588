"""Setting a checkout up: what is installed for which command, and what is said when that fails."""

import ast
import os
import re
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from simulator import setup

# Reports a version, makes environments that hold itself, and logs how it was called.
PRETENDER = """#!/bin/sh
echo "$*" >> "{diary}"
case "$2" in
  venv) for folder; do :; done; mkdir -p "$folder/bin"; cp "$0" "$folder/bin/python" ;;
  pip) exit {pip} ;;
  *) echo "{version}" ;;
esac
"""


class Checkout:
    """A folder with requirements and a pretended interpreter; a space is in its name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = folder / ".venv"
        self.python = folder / "python"
        self.diary = folder / "diary"
        self.requirements = folder / setup.DEVELOPMENT
        self.requirements.write_text("something==1\n")
        (folder / setup.DEMONSTRATION).write_text("something==1\n")
        self.pretend()

    def pretend(self, version: str = "3 12", *, pip: int = 0) -> None:
        for path in (self.python, self.environment / "bin" / "python"):
            if path.parent.exists():
                path.write_text(PRETENDER.format(diary=self.diary, version=version, pip=pip))
                path.chmod(0o755)

    def set_up(self, requirements: str = setup.DEVELOPMENT) -> list[str]:
        """Set up and return what was made: the second words of the interpreter's commands."""
        self.diary.write_text("")
        setup.run_side_by_side(setup.python_steps(self.environment, str(self.python), requirements))
        asked = [line.split() for line in self.diary.read_text().splitlines()]
        return [words[1] for words in asked if words[0] == "-m"]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    folder = tmp_path / "with space"
    folder.mkdir()
    monkeypatch.setattr(setup, "ROOT", folder)
    return Checkout(folder)


def test_a_second_time_installs_nothing(checkout: Checkout) -> None:
    assert checkout.set_up() == ["venv", "pip"]
    assert checkout.set_up() == []


def test_a_changed_requirement_is_installed(checkout: Checkout) -> None:
    checkout.set_up()
    checkout.requirements.write_text("something==2\n")
    assert checkout.set_up() == ["venv", "pip"]
    assert checkout.set_up() == []


def test_everything_is_installed_by_its_hash(checkout: Checkout) -> None:
    checkout.set_up()
    assert f"--require-hashes --requirement {setup.DEVELOPMENT}\n" in checkout.diary.read_text()


def test_the_demo_installs_less_than_the_checks(checkout: Checkout) -> None:
    checkout.set_up(setup.DEMONSTRATION)
    assert f"--requirement {setup.DEMONSTRATION}\n" in checkout.diary.read_text()
    assert checkout.set_up(setup.DEMONSTRATION) == []
    assert checkout.set_up(setup.DEVELOPMENT) == ["venv", "pip"]


def test_what_can_be_checked_can_be_shown(checkout: Checkout) -> None:
    checkout.set_up(setup.DEVELOPMENT)
    assert checkout.set_up(setup.DEMONSTRATION) == []
    checkout.requirements.write_text("something==2\n")
    assert checkout.set_up(setup.DEMONSTRATION) == ["venv", "pip"]


def test_a_failed_installation_is_reported_and_tried_again(checkout: Checkout) -> None:
    checkout.pretend(pip=1)
    with pytest.raises(setup.SetUpError, match="Python packages"):
        checkout.set_up()
    checkout.pretend(pip=0)
    assert checkout.set_up() == ["venv", "pip"]


def test_a_failed_change_does_not_pass_for_what_was_there_before(checkout: Checkout) -> None:
    checkout.set_up()
    checkout.requirements.write_text("something==2\n")
    checkout.pretend(pip=1)
    with pytest.raises(setup.SetUpError):
        checkout.set_up()
    checkout.requirements.write_text("something==1\n")
    checkout.pretend(pip=0)
    assert checkout.set_up() == ["venv", "pip"]


def test_a_lock_that_is_no_file_is_reported(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (checkout.folder / setup.LOCK).mkdir()
    monkeypatch.setattr(sys, "argv", ["setup.py", "demo"])
    assert setup.main() == 1
    assert setup.LOCK in capsys.readouterr().err


def test_an_environment_of_another_version_is_made_anew(checkout: Checkout) -> None:
    checkout.set_up()
    checkout.python.write_text(checkout.python.read_text().replace("3 12", "3 13"))
    setup.run_side_by_side(setup.python_steps(checkout.environment, str(checkout.python)))
    assert "-m venv --clear " in checkout.diary.read_text()


@pytest.mark.parametrize(
    ("says", "found"),
    [
        ("echo 3 13", True),
        ("echo 3 12", False),
        ("exit 127", False),  # one of pyenv's shims, with no such version switched on
    ],
)
def test_an_interpreter_is_taken_only_if_it_runs_and_is_what_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, *, found: bool
) -> None:
    python = tmp_path / "python3.13"
    python.write_text(f"#!/bin/sh\n{says}\n")
    python.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert setup.find_python((3, 13)) == ("python3.13" if found else None)


def test_pyenvs_versions_are_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = tmp_path / "versions/3.13.0/bin/python"
    wanted.parent.mkdir(parents=True)
    for path, line in ((wanted, "echo 3 13"), (tmp_path / "pyenv", f'echo "{tmp_path}"')):
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert setup.find_python((3, 13)) == str(wanted)


# Side by side


def shell(words: str) -> list[str]:
    return ["/bin/sh", "-c", words]


def test_two_installations_run_at_once(tmp_path: Path) -> None:
    """Each waits for a sign of the other's."""
    one, other = tmp_path / "one", tmp_path / "other"
    meet = "touch '{}'; for _ in $(seq 200); do [ -e '{}' ] && exit 0; sleep 0.05; done; exit 1"
    setup.run_side_by_side(
        iter([setup.Step("one", shell(meet.format(one, other)))]),
        iter([setup.Step("other", shell(meet.format(other, one)))]),
    )


def test_the_steps_of_one_installation_wait_for_each_other(tmp_path: Path) -> None:
    made = tmp_path / "made"
    steps = [
        setup.Step("make", shell(f"sleep 0.2; touch '{made}'")),
        setup.Step("use", shell(f"test -e '{made}'")),
    ]
    setup.run_side_by_side(iter(steps))


def test_a_failure_ends_what_runs_beside_it(tmp_path: Path) -> None:
    late = tmp_path / "late"
    with pytest.raises(setup.SetUpError, match="fails") as refused:
        setup.run_side_by_side(
            iter([setup.Step("fails", shell("echo its last words; exit 3"))]),
            iter([setup.Step("goes on", shell(f"sleep 600; touch '{late}'"))]),
        )
    assert "its last words" in str(refused.value)


# What is said


def test_an_old_python_can_read_the_script() -> None:
    source = Path(setup.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 6))
    # What the grammar lets pass and an old interpreter does not: annotations, which it evaluates.
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "__future__" not in imported
    evaluated = [
        ast.unparse(annotation)
        for node in ast.walk(tree)
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if isinstance(annotation, ast.Subscript | ast.BinOp)
    ]
    assert evaluated == []


@pytest.mark.parametrize("version", [(3, 6), (3, 7), (3, 8), (3, 10)])
def test_an_old_python_says_that_it_is_too_old(version: tuple[int, int]) -> None:
    python = setup.find_python(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    said = run_script("demo", python=python)
    assert re.fullmatch(
        rf"Cannot set up: Python 3\.11 or newer is needed, and .* is {version[0]}\.{version[1]}\. "
        r"Name a newer one: make demo PYTHON=python3\.12\n",
        said,
    )


def run_script(purpose: str, *, python: str = sys.executable, path: str = "", **environ: str) -> str:
    """Run the checkout's own script, which has to fail, and return what it says of that."""
    ran = subprocess.run(
        [python, setup.__file__, purpose],
        env={**os.environ, "PATH": path or os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    return ran.stderr


@pytest.fixture
def tools(tmp_path: Path) -> Callable[..., str]:
    """Make a PATH that holds nothing but pretended tools, each of which says one thing."""

    def path_of(**says: str) -> str:
        folder = tmp_path / "tools"
        folder.mkdir()
        for name, words in says.items():
            (folder / name).write_text(f"#!/bin/sh\necho {words}\n")
            (folder / name).chmod(0o755)
        return str(folder)

    return path_of


def test_a_machine_without_node_is_told_in_one_sentence(tools: Callable[..., str]) -> None:
    assert run_script("demo", path=tools()) == (
        "Cannot set up: node was not found; the storage emulator runs on it. "
        "Install Node 20 or newer: https://nodejs.org\n"
    )


@pytest.mark.parametrize("version", ["v18.19.1", "v9.0.0", "nonsense"])
def test_an_old_node_is_told_in_one_sentence(tools: Callable[..., str], version: str) -> None:
    said = run_script("demo", path=tools(node=version, npm="10"))
    assert said == (
        f"Cannot set up: Node 20 or newer is needed, and `node --version` says '{version}'. "
        "Install Node 20 or newer: https://nodejs.org\n"
    )


def test_a_machine_without_npm_is_told_in_one_sentence(
    checkout: Checkout, tools: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in setup.NODE_PACKAGES:
        (checkout.folder / name).write_text("{}")
    monkeypatch.setenv("PATH", tools(node="v22.1.0"))
    with pytest.raises(setup.SetUpError, match=r"^npm was not found, though node was"):
        setup.verify_node()
    modules = checkout.folder / "node_modules"
    modules.mkdir()
    (modules / setup.STAMP).write_text(setup._stamp(setup.NODE_PACKAGES))
    setup.verify_node()  # nothing is left to install


def test_what_checks_the_page_is_installed_only_for_whoever_checks(checkout: Checkout) -> None:
    for name in setup.NODE_PACKAGES:
        (checkout.folder / name).write_text("{}")
    modules = checkout.folder / "node_modules"
    modules.mkdir()

    def install(*, is_whole: bool) -> list[list[str]]:
        return [step.command for step in setup.node_steps(modules, is_whole=is_whole)]

    [demo] = install(is_whole=False)
    assert "--omit=dev" in demo
    assert install(is_whole=False) == []
    [check] = install(is_whole=True)
    assert "--omit=dev" not in check
    assert install(is_whole=True) == []
    assert install(is_whole=False) == []  # whoever can check can also run


def test_a_folder_that_cannot_be_written_to_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # root may write everywhere, except into what the kernel keeps for itself.
    folder = Path("/sys") if os.geteuid() == 0 else tmp_path / "read-only"
    if folder.parent == tmp_path:
        folder.mkdir(0o555)
    monkeypatch.setattr(setup, "ROOT", folder)
    monkeypatch.setattr(sys, "argv", ["setup.py", "check"])
    assert setup.main() == 1
    said = capsys.readouterr().err
    assert said.startswith(f"Cannot set up: the folder {folder} cannot be written to (")
    assert said.count("\n") == 1


@pytest.mark.long
def test_pip_without_a_network_is_told_in_one_sentence(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv.create(tmp_path / "real", with_pip=True)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    checkout.requirements.write_text(f"something==1 --hash=sha256:{'0' * 64}\n")
    install = [str(tmp_path / "real/bin/python"), "-m", "pip", "install", "-r", setup.DEVELOPMENT]
    with pytest.raises(
        setup.SetUpError, match=r"^packages: there is no network, or the package index"
    ) as told:
        setup.run_side_by_side(iter([setup.Step("packages", install)]))
    assert "\n" not in str(told.value)
    assert "No matching distribution" in (checkout.folder / setup.SAID).read_text()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("npm error code ENOTFOUND\nnpm error network request to https://x failed", "no network"),
        ("npm error code EAI_AGAIN", "no network"),
        ("npm ERR! code ECONNREFUSED", "no network"),
        ("npm error code ETIMEDOUT", "no network"),
        (
            "HTTPSConnectionPool(host='pypi.org', port=443): Max retries exceeded with url: /simple/",
            "no network",
        ),
        (
            "WARNING: Retrying after connection broken by 'ProxyError('Cannot connect to proxy.')'",
            "no network",
        ),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "not trusted"),
        ("npm error code SELF_SIGNED_CERT_IN_CHAIN", "not trusted"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("npm error code ENOSPC", "disk is full"),
        ("created successfully because ensurepip is not available.  On Debian", "apt install python3-venv"),
        ("npm error code EACCES", "may not write"),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied",
            "may not write",
        ),
    ],
)
def test_what_the_tools_say_is_told_in_one_sentence(checkout: Checkout, said: str, told: str) -> None:
    script = checkout.folder / "fails"
    script.write_text(f"#!/bin/sh\ncat <<'EOF'\n{said}\nEOF\nexit 1\n")
    script.chmod(0o755)
    with pytest.raises(setup.SetUpError, match=told) as error:
        setup.run_side_by_side(iter([setup.Step("packages", [str(script)])]))
    assert "\n" not in str(error.value)


def test_what_nobody_has_foreseen_is_shown_as_it_was_said(checkout: Checkout) -> None:
    with pytest.raises(setup.SetUpError, match="DO NOT MATCH THE HASHES"):
        setup.run_side_by_side(iter([setup.Step("packages", shell("echo DO NOT MATCH THE HASHES; exit 1"))]))
    assert not (checkout.folder / setup.SAID).exists()
