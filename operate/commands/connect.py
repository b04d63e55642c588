"""``connect``: a few questions, each answer tried at once; then document, subscriptions, a round trip."""

import json
import re
from typing import Annotated, Any

import typer

from operate.commands.doctor import Silent, show
from operate.commands.settings import differences, existing
from operate.desk import Desk
from operate.errors import Ended, WrongUsage
from operate.shown import plain

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_CLOUD = "https://sentry.io/"


def connect(
    desk: Desk,
    ado_url: Annotated[
        str | None, typer.Option(metavar="URL", help="of the Azure DevOps organization or collection")
    ] = None,
    sentry_organization: Annotated[
        str | None, typer.Option(metavar="SLUG", help="in Sentry's addresses")
    ] = None,
    sentry_url: Annotated[str | None, typer.Option(metavar="URL", help="of a self-hosted Sentry")] = None,
) -> None:
    """Connect a Sentry and an Azure DevOps organization, step by step.

    Each answer is tried at once. Then the subscriptions in Azure DevOps are made, and everything is tried;
    no issue and no work item is changed. The app's tokens and secrets are set in its settings, never here.

    Examples:

        sentry-ado connect --app acme-sync -g acme-rg

        sentry-ado connect --org fabrikam --ado-url https://dev.azure.com/fabrikam/ \\
            --sentry-organization acme --yes
    """
    screen = desk.screen
    org = desk.named_org or desk.ask("A short name for the pair, such as fabrikam", "--org SLUG")
    if not _SLUG.fullmatch(org):
        raise WrongUsage("--org is a short name of small letters, digits and hyphens, such as fabrikam")
    desk.org = org
    document, etag = existing(desk)
    if etag is not None:
        screen.say(f"{org} is connected already; what you say here changes its document.")
    trial = _Trial(desk, dict(document), etag)
    trial.settle(
        "ado_url", ado_url, "Azure DevOps address", document.get("ado_url"), f"https://dev.azure.com/{org}/"
    )
    trial.settle("sentry_url", sentry_url, "Sentry address", document.get("sentry_url"), _CLOUD)
    trial.settle(
        "sentry_organization",
        sentry_organization,
        "Sentry organization",
        document.get("sentry_organization"),
        org,
        is_last=True,
    )
    if desk.dry_run:
        screen.rows(("key", "value"), trial.document.items(), trial.document)
        return
    changes = list(differences(document, trial.document))
    if changes or etag is None:
        desk.confirm(f"Store this for {org}?")
        trial.store()
    _subscribe(desk)
    _prove(desk)


class _Trial:
    """The document as it grows: each answer is sent as it would be stored, and nothing is stored yet."""

    def __init__(self, desk: Desk, document: dict[str, Any], etag: str | None) -> None:
        self._desk = desk
        self.document = document
        self._etag = etag

    def settle(
        self,
        key: str,
        given: str | None,
        question: str,
        current: str | None,
        usual: str,
        *,
        is_last: bool = False,
    ) -> None:
        """Ask for a value until the app takes it; a value that was given is refused once."""
        while True:
            value = given or self._desk.ask(question, f"--{key.replace('_', '-')}", default=current or usual)
            self.document = {**self.document, key: value}
            try:
                self._try(is_last=is_last)
            except Refusal as refusal:
                wrong = refusal.errors.get(key)
                if wrong is None and not is_last:
                    return  # It is about what has not been asked yet.
                sentence = f"{question}: {wrong}" if wrong else refusal.sentence
                if given or not self._desk.is_attended:
                    raise WrongUsage(sentence) from None
                self._desk.screen.say(f"  ✕ {plain(sentence)}", "red")
            else:
                return

    def _try(self, *, is_last: bool) -> None:
        if not self._desk.can_try:
            return  # It would be stored. What is wrong with it is told when it is.
        answer = self._sent({"dry_run": "1"})
        for warning in answer.get("warnings") or []:
            if is_last:
                said = warning if isinstance(warning, str) else warning.get("detail", "")
                self._desk.screen.say(f"  ! {plain(said)}", "yellow")
        if is_last:
            self._desk.screen.say("  ✓ both addresses are taken", "green")

    def store(self) -> None:
        try:
            self._sent(None)
        except Refusal as refusal:
            raise WrongUsage(refusal.sentence) from None
        self._desk.screen.say("  ✓ stored", "green")

    def _sent(self, query: dict[str, str] | None) -> dict[str, Any]:
        headers = {} if self._etag is None else {"If-Match": self._etag}
        try:
            answer = self._desk.call(
                "PUT", "config", query=query, body=json.dumps(self.document).encode(), headers=headers
            )
        except WrongUsage as error:
            raise Refusal(error.sentence) from None
        content: dict[str, Any] = answer.json()
        return content


class Refusal(Ended):
    """The app does not take the document; ``errors`` are its sentences by path."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        lines = (each.strip() for each in sentence.splitlines()[1:])
        self.errors = dict(each.partition(": ")[::2] for each in lines)


def _subscribe(desk: Desk) -> None:
    with desk.waiting("Making the subscriptions in Azure DevOps …"):
        try:
            found = desk.call("POST", "hooks").json()
        except Ended as ended:
            desk.screen.say(f"  ! the subscriptions: {ended.sentence}", "yellow")
            return
    for each in found["subscriptions"]:
        is_well = each["state"] == "enabled"
        desk.screen.say(
            f"  {'✓' if is_well else '!'} {each['event']} {each['state']}", "green" if is_well else "yellow"
        )
    if found["problem"]:
        desk.screen.say(f"  {plain(found['problem']['detail'])}", "yellow")
    for command in found.get("by_hand", []):
        desk.screen.say(f"  {plain(command)}")


def _prove(desk: Desk) -> None:
    """Have everything tried, a round trip of a test event included."""
    with desk.waiting("Trying everything that the sync needs …"):
        found = desk.get("doctor")
    if desk.screen.is_for_people:
        show(desk.screen, found["findings"])
        desk.screen.line("")
        desk.screen.line(
            "No issue and no work item was changed. Next: sentry-ado link FE-1 31, or sentry-ado status"
        )
    else:
        names = ("area", "check", "standing", "detail", "cure")
        desk.screen.rows(names, ([each[name] for name in names] for each in found["findings"]), found)
    if found["problems"]:
        raise Silent
