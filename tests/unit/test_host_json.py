"""What host.json says: each value has its reason in docs/settings.md, and the code lives within them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared import services
from shared.flows import connecting, reconciling
from shared.http.seats import Seats
from shared.http.session import CALL_TIME
from simulator.host.app import HostOptions
from tests.simulation import host

ROOT = Path(__file__).parents[2]
HOST_JSON = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
QUEUES = HOST_JSON["extensions"]["queues"]
THREADS = 32  # local.settings.sample.json


def values_in(document: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if not isinstance(document, dict):
        yield path, str(document).lower() if isinstance(document, bool) else str(document)
        return
    for name, value in document.items():
        yield from values_in(value, f"{path}.{name}" if path else name)


def seconds(span: str) -> float:
    hours, minutes, rest = map(float, span.split(":"))
    return (hours * 60 + minutes) * 60 + rest


def test_every_value_has_its_reason() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8").partition("\n## `host.json`\n")[2]
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| (.+) \|$", text, re.MULTILINE)
    assert {name: value for name, value, _ in rows} == dict(values_in(HOST_JSON))
    assert [name for name, _, reason in rows if len(reason) < 20] == []


def test_the_local_host_obeys_the_same_values() -> None:
    options = HostOptions.from_file(ROOT / "host.json").queues
    assert (options.batch_size, options.new_batch_threshold) == (
        QUEUES["batchSize"],
        QUEUES["newBatchThreshold"],
    )
    assert options.max_dequeue_count == QUEUES["maxDequeueCount"]
    assert options.visibility_seconds == seconds(QUEUES["visibilityTimeout"])
    assert options.max_polling_seconds == seconds(QUEUES["maxPollingInterval"]) <= 2


def test_the_simulation_gives_a_message_back_for_as_long_as_the_host() -> None:
    assert seconds(QUEUES["visibilityTimeout"]) == host.GIVEN_BACK_FOR
    assert QUEUES["maxDequeueCount"] == host.MOST_DEQUEUES


def test_messages_and_callers_leave_threads_for_hooks_on_an_instance_that_runs_everything() -> None:
    messages = 2 * (QUEUES["batchSize"] + QUEUES["newBatchThreshold"])
    timer, seats = 1, Seats(THREADS).in_all
    assert messages + timer + seats <= THREADS - 4


def test_whatever_a_function_begins_it_ends_well_before_the_host_kills_its_worker() -> None:
    limit = seconds(HOST_JSON["functionTimeout"])
    # After its deadline a unit ends the link that it has begun: five calls, and storage.
    assert limit / 2 >= services._UNIT_OF_WORK + 6 * CALL_TIME
    assert limit / 2 >= reconciling._RUN_FOR + connecting._SWEEP_FOR
    assert max(connecting._ASK_FOR, connecting._REMOVE_FOR) <= limit / 2


def test_strangers_cannot_fill_the_log_and_it_holds_no_query() -> None:
    insights = HOST_JSON["logging"]["applicationInsights"]
    assert insights["samplingSettings"] == {"isEnabled": True, "excludedTypes": "Exception"}
    assert insights["enableQueryStringTracing"] is False


def test_whoever_counts_records_counts_what_each_stands_for() -> None:
    for query in (ROOT / "infra" / "queries").glob("*.kql"):
        text = query.read_text(encoding="utf-8")
        assert "= count()" not in text or "where runs == 0" in text, query.name
