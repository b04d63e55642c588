"""What a fake keeps in a file: all that it knows, and nothing of how it ran."""

from pathlib import Path

import pytest

from simulator.ado import FakeAdo
from simulator.ado.server import kept_in as ado_kept_in
from simulator.kept import KeptError
from simulator.sentry import FakeSentry
from simulator.sentry.server import kept_in as sentry_kept_in


def test_azure_devops_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "ado"
    with FakeAdo() as ado:
        ado.seed()
        ado.edit(31, **{"System.State": "Resolved"})
        ado.comment(31, "One")
        hook = ado.subscribe("http://127.0.0.1:9/", project="Fabrikam-Fiber")
        ado.set_subscription_status(hook, "disabledByUser")
        ado.delete(32)
        ado_kept_in(path, ado).save()
        before = ado.item(31)
    with FakeAdo() as ado:
        assert ado_kept_in(path, ado).restore()
        after = ado.item(31)
        assert (after.state, after.rev, after.fields) == ("Resolved", before.rev, before.fields)
        assert [(each.id, each.status) for each in ado.subscriptions] == [(hook, "disabledByUser")]
        ado.restore(32)
        assert ado.comment(31, "Two").id > before.comments[0].id
        assert ado.add_item("Next").id == 37
        # The subscriptions of this run are those that were kept, and are told of its changes.
        missed = len(ado.lost_events)
        ado.edit(31, **{"System.State": "Active"})
        assert len(ado.lost_events) == missed + 1


def test_sentry_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "sentry"
    with FakeSentry() as sentry:
        sentry.add_member("ann@corp.example")
        issue = sentry.add_issue().id
        sentry.assign(issue, "ann@corp.example")
        sentry.resolve(issue)
        sentry.comment(issue, "One")
        sentry_kept_in(path, sentry).save()
        before = sentry.issue(issue)
    with FakeSentry() as sentry:
        assert sentry_kept_in(path, sentry).restore()
        assert sentry.issue(issue)["status"] == "resolved"
        assert sentry.issue(issue)["assignedTo"] == before["assignedTo"]
        assert [each["data"]["text"] for each in sentry.comments(issue)] == ["One"]
        assert sentry.add_issue().id == str(int(issue) + 1)
        assert sentry.add_member("bob@corp.example").user is not None


def test_a_first_run_has_nothing_to_restore(tmp_path: Path) -> None:
    with FakeAdo() as ado:
        assert not ado_kept_in(tmp_path / "ado", ado).restore()


@pytest.mark.parametrize("content", [b"", b"no pickle", b"\x80\x05cnowhere\nnothing\n."])
def test_a_file_that_cannot_be_read_is_told_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ado"
    path.write_bytes(content)
    with FakeAdo() as ado, pytest.raises(KeptError, match="remove its folder to begin anew"):
        ado_kept_in(path, ado).restore()
