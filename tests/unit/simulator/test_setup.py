"""Setting a checkout up: what is installed, when it is not, and which interpreter is taken."""

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
        self.requirements = folder / setup.REQUIREMENTS
        self.requirements.write_text("something==1\n")
        self.pretend()

    def pretend(self, version: str = "3 12", *, pip: int = 0) -> None:
        for path in (self.python, self.environment / "bin" / "python"):
            if path.parent.exists():
                path.write_text(PRETENDER.format(diary=self.diary, version=version, pip=pip))
                path.chmod(0o755)

    def set_up(self) -> list[str]:
        """Set up and return what was made: the second words of the interpreter's commands."""
        self.diary.write_text("")
        setup.set_up_python(self.environment, str(self.python))
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
    assert f"--require-hashes --requirement {setup.REQUIREMENTS}\n" in checkout.diary.read_text()


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


def test_a_folder_that_cannot_be_written_to_is_reported(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    (checkout.folder / setup.LOCK).mkdir()
    assert setup.main() == 1
    assert setup.LOCK in capsys.readouterr().err


def test_an_environment_of_another_version_is_made_anew(checkout: Checkout) -> None:
    checkout.set_up()
    checkout.python.write_text(checkout.python.read_text().replace("3 12", "3 13"))
    setup.set_up_python(checkout.environment, str(checkout.python))
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
