"""The app, and beside it the least that a webhook could do: put one message."""

import runpy
from pathlib import Path

import azure.functions as func
from azure.storage.queue import QueueClient

from shared.services import services
from shared.store.queues import queue_client

# The app's own file has the same name as this one.
_file = Path(__file__).parents[2] / "function_app.py"
_names = runpy.run_path(str(_file))
app: func.FunctionApp = _names["app"]

_queues: list[QueueClient] = []


@app.function_name("bare")
@app.route("bare", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def put_one_message(req: func.HttpRequest) -> func.HttpResponse:
    if not _queues:
        queue = queue_client(services().settings.storage, "bare")
        queue.create_queue()
        _queues.append(queue)
    _queues[0].send_message(req.get_body()[:300])
    return func.HttpResponse(status_code=202)
