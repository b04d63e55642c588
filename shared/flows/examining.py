"""Examining an organization: all that the sync needs is tried, harmlessly, and every finding has a cure.

Nothing changes on either side: a write is validated and not stored, and what is delivered to ourselves is no
event. What is found wrong is kept, so that ``health`` and ``status`` tell of it as well.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

from shared.ado.client import AdoClient
from shared.ado.people import recent_assignees
from shared.domain.connection import is_another, sentry_id
from shared.domain.errors import MissingSetting, NotFound, SyncError
from shared.domain.ids import is_guid
from shared.domain.model import IssueLink, Person, Side
from shared.domain.rules.diagnosing import (
    ROTATION,
    TEST_EVENT,
    TOKEN_EXPIRY,
    WHO,
    Area,
    Finding,
    Standing,
    about_answer,
    about_clock,
    about_door,
    about_integrations,
    about_namesakes,
    about_people,
    about_poison,
    about_scopes,
    about_setting,
    about_states,
    about_storage,
    about_subscriptions,
    fine,
    note,
    problem,
    unjudged,
    unknown,
    unseen_integrations,
    unseen_scopes,
    unseen_subscriptions,
)
from shared.domain.rules.people import namesakes
from shared.domain.rules.subscribing import hook_url, is_ours, mark_of, planned
from shared.domain.subscriptions import WatchedEvent, needed
from shared.domain.traffic import total
from shared.sentry.client import SentryClient
from shared.sentry.hook import RESOURCE_HEADER, SIGNATURE_HEADER, sign
from shared.services import Services, taken
from shared.store.organizations import Organization

_MOST_LINKS = 5_000
_MOST_PEOPLE = 25
_MOST_PROJECTS = 25

Answer = TypeVar("Answer")
Client = TypeVar("Client")


def examine(services: Services, organization: Organization) -> list[Finding]:
    """Return what each check found, in the order of their areas, and keep what is wrong."""
    links = list(_links(services, organization))
    findings = [
        *_app(services, organization),
        *_ado(services, organization, links),
        *_sentry(services, organization),
        *_doors(services, organization),
        *_states(services, organization, links),
        *_people(services, organization, links),
        *_namesakes(services, organization),
    ]
    with suppress(SyncError):  # It is told now, whether or not it is kept.
        _keep(services, organization, findings)
    order = list(Area)
    return sorted(findings, key=lambda each: order.index(each.area))


def look_over(services: Services, organization: Organization) -> None:
    """Try what is worth trying every hour, for the reconciler, and keep what is wrong."""
    configuration = organization.configuration
    if not (configuration.is_located or configuration.ado_account_id):
        return  # Somebody has damaged the row.
    links = list(_links(services, organization))
    findings = [
        *_clocks(services, organization),
        *_token(services, organization),
        *_states(services, organization, links),
        *_people(services, organization, links),
    ]
    _keep(services, organization, findings)


def _keep(services: Services, organization: Organization, findings: list[Finding]) -> None:
    found = [each.trouble for each in findings if each.is_problem]
    services.examinations.note(organization.scope, found, unjudged(findings))


def _clocks(services: Services, organization: Organization) -> Iterator[Finding]:
    """Compare with the clocks that both showed when they were asked last."""
    with suppress(SyncError):
        ahead = services.ado_at_once(organization).clock_ahead()
        yield from about_clock(Area.ADO, "Azure DevOps", ahead, Side.ADO)
    with suppress(SyncError):
        ahead = services.sentry_at_once(organization).clock_ahead()
        yield from about_clock(Area.SENTRY, "Sentry", ahead, Side.SENTRY)


def _token(services: Services, organization: Organization) -> Iterator[Finding]:
    """Tell what the token may do, and whether an integration sends us its hooks."""
    client = _asked(lambda: services.sentry_at_once(organization))
    if isinstance(client, SyncError):
        yield from _unseen_token(client)
        return
    yield from _scopes(client)
    yield from _integrations(services, organization, client)


def _unseen_token(error: SyncError) -> Iterator[Finding]:
    yield unseen_scopes(error)
    yield unseen_integrations("Settings, Developer Settings")


def _links(services: Services, organization: Organization) -> Iterator[IssueLink]:
    for passed in islice(services.links.walk(organization.scope), _MOST_LINKS):
        if passed.stored is not None:
            yield passed.stored.link


# The app


def _app(services: Services, organization: Organization) -> Iterator[Finding]:
    settings, slug = services.settings, organization.slug
    yield from _storage(services, organization)
    missing = []
    for side, ask in (
        (Side.ADO, settings.ado_webhook_secrets),
        (Side.SENTRY, settings.sentry_client_secrets),
        (Side.SENTRY, settings.sentry_token),
    ):
        try:
            found = ask(slug)
        except MissingSetting as error:
            missing.append(about_setting(error, side))
        else:
            if isinstance(found, tuple) and len(found) > 1:
                yield _rotation(side)
    yield from missing
    try:
        url = settings.public_url
    except MissingSetting as error:
        cure = "Set it, so that the app can look after its subscriptions, and try its own webhooks."
        yield note(Area.APP, error.kind, error.detail, cure)
        return
    if not missing:
        yield fine(Area.APP, "settings", "every setting that the app needs is set")
        yield from _test_events(services, slug, url)


def _rotation(side: Side) -> Finding:
    name = "ADO_WEBHOOK_SECRET_PREVIOUS" if side is Side.ADO else "SENTRY_CLIENT_SECRET_PREVIOUS"
    detail = f"a secret is being changed: the one in {name} is accepted as well"
    cure = f"Remove {name} from the app's settings once every delivery comes with the new secret."
    return note(Area.APP, ROTATION, detail, cure, side)


def _storage(services: Services, organization: Organization) -> Iterator[Finding]:
    yield about_storage("tables", _error(lambda: services.examinations.touch(organization.scope)))
    for each in services.waiting:
        yield about_storage(f"the queue {each.name}", _error(each.queue.try_out))
        with suppress(SyncError):
            found = about_poison(f"{each.name}-poison", each.poison.length())
            if found is not None:
                yield found


def _error(work: Callable[[], object]) -> SyncError | None:
    found = _asked(work)
    return found if isinstance(found, SyncError) else None


def _test_events(services: Services, slug: str, public_url: str) -> Iterator[Finding]:
    """Deliver to both webhooks by the address that the services use, with the proof, what is no event.

    The answer to a proven delivery that cannot be read shows that the address leads here and the secret is
    accepted. It is not counted among the deliveries, so that it hides nothing of theirs.
    """
    settings, body = services.settings, b"{}"
    secret, key = settings.ado_webhook_secrets(slug)[0], settings.sentry_client_secrets(slug)[0]
    kind = {"Content-Type": "application/json"}
    signed: dict[str, str] = {**kind, SIGNATURE_HEADER: sign(body, key).decode(), RESOURCE_HEADER: "issue"}
    for side, path, headers in (
        (Side.ADO, f"api/ado/{slug}/webhook", {**kind, "Shared-Secret": secret}),
        (Side.SENTRY, f"api/sentry/{slug}/webhook", signed),
    ):
        yield _test_event(services, side, f"{public_url}{path}", headers, body)


def _test_event(services: Services, side: Side, url: str, headers: dict[str, str], body: bytes) -> Finding:
    cure = (
        "Set PUBLIC_URL to the address at which the app is reached from outside, such as "
        "https://APP.azurewebsites.net/, and let the app's own firewall admit it."
    )
    try:
        status, content = services.try_webhook(url, headers, body)
    except SyncError as error:
        detail = f"a test event did not come back from {url} ({error.kind})"
        return problem(Area.APP, TEST_EVENT, detail, cure, side)
    if isinstance(content, dict) and content.get("error") == "malformed-payload":
        return fine(Area.APP, TEST_EVENT, f"a test event by {url} arrived, and its secret was accepted", side)
    detail = f"a test event by {url} was answered {status}, which is not this app's answer to it"
    return problem(Area.APP, TEST_EVENT, detail, cure, side)


# Azure DevOps


def _ado(services: Services, organization: Organization, links: list[IssueLink]) -> Iterator[Finding]:
    where = organization.configuration.ado_url or "its address is looked up by ado_account_id"
    client = _asked(lambda: services.ado_at_once(organization.whoever_answers))
    if isinstance(client, SyncError):
        yield about_answer(Side.ADO, client, about=WHO, where=where)
        return
    told = _asked(client.instance_id)
    if isinstance(told, str) and is_another(organization.ado, told):
        told = taken(Side.ADO)
    yield from about_clock(Area.ADO, "Azure DevOps", client.clock_ahead(), Side.ADO)
    if isinstance(told, SyncError):
        yield about_answer(Side.ADO, told, about=WHO, where=where)
        return
    yield _ado_credentials(services, organization.slug, where)
    projects = _asked(lambda: list(client.projects()))
    if isinstance(projects, SyncError):
        yield about_answer(Side.ADO, projects, about="list its projects", where=where)
    elif not projects:
        cure = "Add the app's identity, or the owner of ADO_PAT, to the Contributors of each project."
        yield problem(Area.ADO, "forbidden", "Azure DevOps shows us no project", cure, Side.ADO)
    else:
        yield fine(Area.ADO, "projects", f"{len(projects)} project(s) can be read", Side.ADO)
    yield from _work_items(client, links, where)
    yield from _subscriptions(services, organization)


def _subscriptions(services: Services, organization: Organization) -> Iterator[Finding]:
    """Look at the subscriptions as they are now, and at no one else's; hook_watchdog mends them."""
    settings, slug = services.settings, organization.slug
    try:
        url = hook_url(settings.public_url, slug, settings.addresses)
        mark = mark_of(settings.ado_webhook_secrets(slug)[0], organization.scope)
        ours = [each for each in services.subscriptions(organization).web_hooks() if is_ours(each, url)]
        known = services.hooks.get(organization.scope).events
    except SyncError as error:
        yield unseen_subscriptions(error)
        return
    states, strange = {}, set()
    for event in needed(organization.configuration.sync_comments_reverse):
        seen = known.get(event, WatchedEvent())
        plan = planned([each for each in ours if each.event == event], {seen.subscription_id})
        states[event] = plan.state
        found = plan.subscription
        if found is not None and found.id == seen.subscription_id and seen.mark not in {"", mark}:
            strange.add(event)
    yield from about_subscriptions(states, strange)


def _ado_credentials(services: Services, slug: str, where: str) -> Finding:
    if services.settings.ado_pat(slug) is None:
        return fine(Area.ADO, "credentials", f"{where} accepts the app's identity", Side.ADO)
    return note(
        Area.ADO,
        TOKEN_EXPIRY,
        f"{where} accepts ADO_PAT, which ends at the latest a year after it was made",
        "Azure DevOps tells no token when it ends: look under User settings, Personal access tokens, and "
        "note the day. An identity in the place of ADO_PAT never ends.",
        Side.ADO,
    )


def _work_items(ado: AdoClient, links: list[IssueLink], where: str) -> Iterator[Finding]:
    """Read one linked work item of each project, and have a write of it validated."""
    by_project = {each.project_id: each.work_item_id for each in links}
    if not by_project:
        cure = "Link an issue, and run it again."
        yield unknown(Area.ADO, "work-items", "no work item is linked, so none was tried", cure, Side.ADO)
    tried = 0
    for work_item_id in islice(by_project.values(), _MOST_PROJECTS):
        item = _asked(partial(ado.get_work_item, work_item_id))
        if isinstance(item, NotFound):
            continue  # Its link tells of it; nobody knows whether it is gone or hidden.
        if isinstance(item, SyncError):
            yield about_answer(Side.ADO, item, about=f"read work item {work_item_id}", where=where)
            continue
        written = _asked(partial(ado.try_to_write, item))
        if isinstance(written, SyncError):
            yield about_answer(Side.ADO, written, about=f"write work item {work_item_id}", where=where)
        else:
            tried += 1
    if tried:
        detail = f"work items can be read and written in {tried} project(s)"
        yield fine(Area.ADO, "work-items", detail, Side.ADO)


# Sentry


def _sentry(services: Services, organization: Organization) -> Iterator[Finding]:
    configuration = organization.configuration
    name = configuration.sentry_organization or organization.slug
    where = f"{name} at {configuration.sentry_url}"
    client = _asked(lambda: services.sentry_at_once(organization.whoever_answers))
    if isinstance(client, SyncError):
        yield about_answer(Side.SENTRY, client, about=WHO, where=where)
        yield from _unseen_token(client)
        return
    told = _asked(client.organization_id)
    if isinstance(told, str) and is_another(organization.sentry, sentry_id(configuration.sentry_url, told)):
        told = taken(Side.SENTRY)
    yield from about_clock(Area.SENTRY, "Sentry", client.clock_ahead(), Side.SENTRY)
    if isinstance(told, SyncError):
        yield about_answer(Side.SENTRY, told, about=WHO, where=where)
    else:
        detail = f"{where} accepts the token, which does not end by itself"
        yield fine(Area.SENTRY, "credentials", detail, Side.SENTRY)
    yield from _scopes(client)
    if isinstance(told, SyncError):
        yield unseen_integrations(client.settings_url)
    else:
        yield from _integrations(services, organization, client)


def _scopes(client: SentryClient) -> Iterator[Finding]:
    scopes = _asked(client.scopes)
    if isinstance(scopes, SyncError):
        yield unseen_scopes(scopes)
    else:
        yield from about_scopes(scopes)


def _integrations(services: Services, organization: Organization, client: SentryClient) -> Iterator[Finding]:
    found, page = _asked(client.integrations), client.settings_url
    if isinstance(found, SyncError):
        yield unseen_integrations(page)
        return
    with suppress(MissingSetting):
        url = f"{services.settings.public_url}api/sentry/{organization.slug}/webhook"
        comments = organization.configuration.sync_comments
        yield from about_integrations(found, url, page, comments=comments)


def _asked(ask: Callable[[], Answer]) -> Answer | SyncError:
    try:
        return ask()
    except SyncError as error:
        return error


class _Told(NamedTuple, Generic[Answer]):
    """What a service answered about each of several things, or the kind of error of each ``unread`` one."""

    answers: dict[str, Answer]
    unread: dict[str, str]


def _told_of(
    client: Client | SyncError, things: Iterable[str], ask: Callable[[Client, str], Answer]
) -> _Told[Answer]:
    """Ask about each thing by itself, so that none hides the others; without a client, tell why of each.

    A service that refuses us, or is silent, costs no call for each: the client remembers it.
    """
    told = _Told[Answer]({}, {})
    for each in things:
        answer = client if isinstance(client, SyncError) else _asked(partial(ask, client, each))
        if isinstance(answer, SyncError):
            told.unread[each] = answer.kind
        else:
            told.answers[each] = answer
    return told


def _doors(services: Services, organization: Organization) -> Iterator[Finding]:
    services.ledger.flush()
    with suppress(SyncError):
        week = total(services.traffic.hours(organization.scope, services.clock()).values())
        for side in Side:
            yield about_door(side, week.on(side))


# States and people


def _states(services: Services, organization: Organization, links: list[IssueLink]) -> list[Finding]:
    configuration, scope = organization.configuration, organization.scope
    linked = {(each.project_id, each.work_item_type) for each in links}
    known = {*configuration.status_mapping, *(project for project, _ in linked)}
    # A link that nobody could look at yet has no project.
    wanted = sorted(each for each in known if is_guid(each))[:_MOST_PROJECTS]
    ado = _asked(lambda: services.ado_at_once(organization))
    told = _told_of(ado, wanted, lambda ado, project_id: services.processes.recent(ado, scope, project_id))
    found = list(about_states(configuration, told.answers, {}, linked, told.unread))
    if isinstance(ado, SyncError) or all(each.standing is Standing.FINE for each in found):
        return found
    names = _asked(lambda: {each.id: each.name for each in ado.projects()})
    if isinstance(names, SyncError):
        return found
    return list(about_states(configuration, told.answers, names, linked, told.unread))


def _people(services: Services, organization: Organization, links: list[IssueLink]) -> Iterator[Finding]:
    """Look each assignee of a linked work item up in Sentry, by the address that is mapped to theirs."""
    configuration = organization.configuration
    assigned = Counter(
        each.seen.item.assignee.email for each in links if isinstance(each.seen.item.assignee, Person)
    )
    ordered = [address for address, _ in assigned.most_common()]
    told = _told_of(
        _asked(lambda: services.sentry_at_once(organization)),
        ordered[:_MOST_PEOPLE],
        lambda sentry, address: sentry.is_member(configuration.people.get(address, address)),
    )
    unknown_ones = {
        address: assigned[address] for address, is_member in told.answers.items() if not is_member
    }
    yield from about_people(unknown_ones, len(told.answers), ordered[_MOST_PEOPLE:], told.unread)


def _namesakes(services: Services, organization: Organization) -> Iterator[Finding]:
    """Look for people whom Sentry knows by another address, and by the same name."""
    mapped = organization.configuration.people
    with suppress(SyncError):
        sentry = services.sentry_at_once(organization)
        assigned = recent_assignees(services.ado_at_once(organization))
        named = {
            key: name for key, name in islice(assigned.items(), _MOST_PEOPLE) if name and key not in mapped
        }
        told = _told_of(sentry, named, lambda sentry, key: sentry.is_member(key))
        # Somebody of whom nobody knows may have the name as well.
        strangers = {key: name for key, name in named.items() if not told.answers.get(key)}
        names = set(strangers.values())
        members = _told_of(sentry, names, lambda sentry, name: sentry.addresses_under(name)).answers
        found = namesakes(strangers, members)
        yield from about_namesakes({key: found[key] for key in found if key in told.answers}, strangers)
