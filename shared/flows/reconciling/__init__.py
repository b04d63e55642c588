"""Finding what no hook reported: what changed in either service, and links that are due.

The reconciler reads and queues messages for links that may have changed; the workers settle them. Two
reconcilers at once do no harm, a crash loses nothing, and a message means no more than a hook does.
"""

from contextlib import suppress

from msgspec.structs import replace

from shared.domain.errors import SyncError, Unauthorized
from shared.domain.rules.turns import in_turn, share_of
from shared.flows.identifying import fill_in
from shared.flows.reconciling.asking import ask_who_is_there, try_the_rest
from shared.flows.reconciling.feed import read_feed
from shared.flows.reconciling.issues import read_issues
from shared.flows.reconciling.look import look_at_items
from shared.flows.reconciling.pruning import prune
from shared.flows.reconciling.run import Failure, Found, Part, Run
from shared.flows.reconciling.telling import tell_problems
from shared.flows.reconciling.waiting import take_up_waiting
from shared.services import Services
from shared.store.organizations import Organization
from shared.store.progress import LinkTally, Tally

__all__ = ["Failure", "Found", "Part", "reconcile", "reconcile_all"]

# host.json ends a function after a few minutes; an unfinished run continues in the next one.
_RUN_FOR = 200.0  # seconds, for all organizations
_RUN_ON_DEMAND_FOR = 100.0  # seconds; somebody waits for the answer


def reconcile_all(services: Services) -> dict[str, Found | Exception]:
    """Reconcile every organization within its share of the time; a failure does not stop the next one.

    Returns the counts or the error of each organization by slug; one that the run did not reach is absent.
    """
    stop_at = services.clock() + _RUN_FOR
    slugs = in_turn(services.organizations.slugs(), services.progress.last_runs(), services.clock())
    results: dict[str, Found | Exception] = {}
    for place, slug in enumerate(slugs):
        left = stop_at - services.clock()
        if left <= 0:
            break
        try:
            organization = services.organizations.get(slug)
            results[slug] = reconcile(services, organization, run_for=share_of(left, len(slugs) - place))
        except Exception as error:  # noqa: BLE001  # even a bug; the caller logs it
            results[slug] = error
            if isinstance(error, Unauthorized):
                with suppress(SyncError):
                    services.organizations.note_refusal(slug, error.service)
    return results


def reconcile(
    services: Services,
    organization: Organization,
    *,
    everything: bool = False,
    run_for: float = _RUN_ON_DEMAND_FOR,
) -> Found:
    """Do each part of a run through one organization, from where the last run stopped.

    A part is done whatever becomes of the others, does a step at least, and ends when the time is up.
    ``everything`` begins with the first link, takes up every link that is not settled, whether due or not,
    and looks at all work items; what the run does not reach, the next ones treat alike.
    """
    progress = services.progress.get(organization.scope)
    if everything:
        # What a pass that is half done has counted would be counted twice.
        unreadable = Tally(progress.unreadable_links.last)
        progress = replace(
            progress, links_after=None, links_so_far=LinkTally(), unreadable_links=unreadable, everything=True
        )
    run = Run(services, organization, progress, run_for)
    if everything:
        run.want_look()
    ask_who_is_there(run)
    if _has_links(run):
        run.attempt(Part.FEED, read_feed)
        run.attempt(Part.LINKS, take_up_waiting)
        run.attempt(Part.LOOK, look_at_items)
        run.attempt(Part.ISSUES, read_issues)
    else:
        run.begin_anew()
    try_the_rest(run)
    run.attempt(Part.ACTIVITY, prune)
    run.attempt(Part.EVENTS, _tell)
    return run.found


def _tell(run: Run) -> None:
    fill_in(run.services, run.organization)
    tell_problems(run)


def _has_links(run: Run) -> bool:
    """Tell whether there is anything to ask a service about, be it what a link that ended has left."""
    with suppress(SyncError):
        links, scope = run.services.links, run.organization.scope
        return any(True for _ in links.walk(scope, page_size=1)) or any(True for _ in links.remnants(scope))
    return True  # Each part says for itself that storage does not answer.
