"""The app, and beside it the least that functions could do with a request and with a message."""

import itertools
import runpy
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import azure.functions as func
from azure.core.exceptions import ResourceExistsError
from azure.data.tables import TableClient
from azure.storage.queue import QueueClient

from bench.memory import most_taken
from shared.services import services
from shared.store.queues import queue_client
from shared.store.tables import table_service

STORAGE = "AzureWebJobsStorage"
ANONYMOUS = func.AuthLevel.ANONYMOUS
NO_LONGER_THAN_OURS = 300  # bytes of a message

# The app's own file has the same name as this one.
_file = Path(__file__).parents[2] / "function_app.py"
_names = runpy.run_path(str(_file))
app: func.FunctionApp = _names["app"]

_written = itertools.count(1)


@lru_cache
def _queue(name: str) -> QueueClient:
    queue = queue_client(services().settings.storage, name)
    with suppress(ResourceExistsError):  # The host creates the queues that it listens to.
        queue.create_queue()
    return queue


@lru_cache
def _table() -> TableClient:
    table = table_service(services().settings.storage).get_table_client("bare")
    with suppress(ResourceExistsError):
        table.create_table()
    table.upsert_entity({"PartitionKey": "bare", "RowKey": "read", "Text0": "x" * NO_LONGER_THAN_OURS})
    return table


@app.function_name("nothing")
@app.route("bare/nothing", methods=["POST"], auth_level=ANONYMOUS)
def answer_200(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001  # the trigger requires it
    return func.HttpResponse(status_code=200)


@app.function_name("put")
@app.route("bare/put", methods=["POST"], auth_level=ANONYMOUS)
def put_one_message(req: func.HttpRequest) -> func.HttpResponse:
    _queue("bare").send_message(req.get_body()[:NO_LONGER_THAN_OURS])
    return func.HttpResponse(status_code=202)


@app.function_name("event")
@app.route("bare/event", methods=["POST"], auth_level=ANONYMOUS)
def put_one_event(req: func.HttpRequest) -> func.HttpResponse:
    _queue("bare-events").send_message(req.get_body()[:NO_LONGER_THAN_OURS])
    return func.HttpResponse(status_code=202)


@app.function_name("read_and_write")
@app.queue_trigger("message", "bare-events", STORAGE)
def read_and_write(message: func.QueueMessage) -> None:
    read = _table().get_entity("bare", "read")
    _table().upsert_entity({**read, "RowKey": str(message.id)})
    next(_written)


@app.function_name("written")
@app.route("bare/written", methods=["GET"], auth_level=ANONYMOUS)
def count_written(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001  # the trigger requires it
    # Reading a counter without moving it is what its text is for: count(3).
    return func.HttpResponse(repr(_written)[len("count(") : -1])


@app.function_name("memory")
@app.route("bare/memory", methods=["GET"], auth_level=ANONYMOUS)
def report_memory(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001  # the trigger requires it
    """Answer with the most that this process has taken so far, in bytes."""
    return func.HttpResponse(str(most_taken()))
