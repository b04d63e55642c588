"""Accepting a delivery, against a function with the same single put, and against one that only answers."""

from collections.abc import Iterator, Mapping
from functools import partial

from bench.deliveries import Delivery, from_ado, from_sentry
from bench.figures import CASES, CONNECTIONS, SIZES
from bench.load import Load, Target
from bench.measuring import Measured, Scale, Spread, measured, medians_of, ratios, take_turns
from bench.stage import NO_WORKERS, hosted, storage
from tests.e2e.app import HOOK_SECRET, SIGNING_KEY, App, Pair

REQUESTS_OF_A_TURN = 2  # on each connection


def measure(scale: Scale) -> Iterator[Measured]:
    with storage() as account, hosted(account, environ=NO_WORKERS) as app, Pair.beside(app) as pair:
        pair.connect()
        events = _events(pair)
        for connections in CONNECTIONS:
            with Load.on(app.url, connections) as load:
                for size, octets in SIZES.items():
                    for case in CASES:
                        delivery = from_ado(events[case], HOOK_SECRET, size=octets)
                        ours = Target(
                            f"/api/{pair.ado_route}", delivery, 200 if case == "not for us" else 202
                        )
                        yield _against_bare(
                            f"ado_webhook, {case}, {size}, {connections} at once", ours, app, load, scale
                        )
                    delivery = from_sentry({"issue": {"id": "100"}}, SIGNING_KEY, size=octets)
                    ours = Target(f"/api/{pair.sentry_route}", delivery, 202)
                    yield _against_bare(
                        f"sentry_webhook, {size}, {connections} at once", ours, app, load, scale
                    )


def _events(pair: Pair) -> Mapping[str, Mapping[str, object]]:
    """Return an event for each case, as the simulated service sends it."""
    _, linked = pair.linked()
    unlinked = pair.ado.add_item().id
    pair.ado.edit(linked, **{"System.State": "Active"})
    of_linked = pair.ado.hooks.history[-1].body
    pair.ado.edit(unlinked, **{"System.State": "Active"})
    of_unlinked = pair.ado.hooks.history[-1].body
    pair.ado.wait_for_deliveries()
    not_ours = {**of_linked, "eventType": "workitem.created"}
    return dict(zip(CASES, (of_linked, of_unlinked, not_ours), strict=True))


def _against_bare(name: str, ours: Target, app: App, load: Load, scale: Scale) -> Measured:
    bare = Delivery({"Content-Type": "application/json"}, ours.delivery.body)
    targets = {
        "ours": ours,
        "one put": Target("/api/bare/put", bare, 202),
        "only 200": Target("/api/bare/nothing", bare, 200),
    }
    for target in targets.values():
        load.seconds(target, 1)  # The first one opens connections, here and to storage.
    # A turn is short, so that a moment in which the machine does something else strikes all of them alike.
    each_takes = max(1, scale.requests // load.connections)
    turns = max(1, each_takes // REQUESTS_OF_A_TURN)
    at_once = {each: partial(load.seconds, target, each_takes // turns) for each, target in targets.items()}
    turned = take_turns(at_once, scale.rounds * turns)
    taken = {each: medians_of(seconds, scale.rounds) for each, seconds in turned.items()}
    app.clear()
    medians = {each: Spread.of(seconds).value * 1000 for each, seconds in taken.items()}
    return measured(
        "accept",
        name,
        ratios(taken["ours"], taken["one put"]),
        {f"{each}, ms:": milliseconds for each, milliseconds in medians.items()},
    )
