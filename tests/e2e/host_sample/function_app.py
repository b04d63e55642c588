"""A small app that shows, over HTTP and in a recording folder, what a Functions host did with it."""

import asyncio
import json
import logging
import os
import time
import uuid
from pathlib import Path

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
STORAGE = "SampleStorage"
logger = logging.getLogger("sample")


def record(kind: str, **facts: object) -> None:
    """Leave one file in the recording folder: the test reads it, whichever process wrote it."""
    path = Path(os.environ["RECORDINGS"]) / f"{time.time_ns()}-{uuid.uuid4().hex}"
    path.with_suffix(".part").write_text(json.dumps({"kind": kind, **facts}), encoding="utf-8")
    path.with_suffix(".part").rename(path.with_suffix(".json"))


@app.route("echo/{first:int}/{second?}", methods=["GET", "POST"])
def echo(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    heard = {
        "function": context.function_name,
        "method": req.method,
        "url": req.url,
        "headers": dict(req.headers),
        "params": dict(req.params),
        "route_params": dict(req.route_params),
        "body": req.get_body().decode(),
        "setting": os.environ.get("SETTING"),
        "other_setting": os.environ.get("OTHER_SETTING"),
    }
    return func.HttpResponse(json.dumps(heard), mimetype="application/json")


@app.route("overlap/{name}", methods=["GET"])
def overlap_a(req: func.HttpRequest) -> str:
    return f"a {req.route_params['name']}"


@app.route("overlap/exact", methods=["GET", "POST"])
def overlap_b(req: func.HttpRequest) -> str:
    return "b"


@app.route("return/{what}")
def return_anything(req: func.HttpRequest):  # type: ignore[no-untyped-def]  # it returns what it may not
    match req.route_params["what"]:
        case "error":
            raise ValueError("on purpose")
        case "dict":
            return {"a": 1}
        case "bytes":
            return b"bytes"
        case "text":
            return "text"
        case "response":
            headers = {"X-Answer": "42", "Set-Cookie": "a=b; Path=/"}
            return func.HttpResponse(b"\x00\xff", status_code=418, headers=headers, mimetype="image/x")
        case "empty":
            return func.HttpResponse(status_code=204)
        case "bad-header":
            return func.HttpResponse("x", headers={"X-Bad": "a\r\nInjected: yes"})
    return None


@app.route("async", methods=["GET"])
async def answer_async(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("async")


@app.route("keyed", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
def keyed(req: func.HttpRequest) -> str:
    return "keyed"


@app.route("mastered", methods=["GET"], auth_level=func.AuthLevel.ADMIN)
def mastered(req: func.HttpRequest) -> str:
    return "mastered"


@app.route("switched-off", methods=["GET"])
def switched_off(req: func.HttpRequest) -> str:
    return "on"


@app.route("slow", methods=["GET"])
async def slow(req: func.HttpRequest) -> str:
    record("slow-began")
    await asyncio.sleep(float(req.params["seconds"]))
    return "done"


@app.queue_trigger("message", "%QUEUE%", STORAGE)
def on_message(message: func.QueueMessage) -> object:
    """Do what the message says, and record that it came."""
    content = message.get_body().decode(errors="replace")
    record("message", content=content, dequeue_count=message.dequeue_count, id=message.id)
    command, _, argument = content.partition(" ")
    if command == "fail":
        raise ValueError(content)
    if command == "sleep":
        time.sleep(float(argument))
        record("slept", content=content)
    if command == "log":
        logger.info("message said %s", argument)
        logging.getLogger("azure.functions.mine").error("nobody reads this")
    return content if command == "return" else None


@app.queue_trigger("message", "%QUEUE%-poison", STORAGE)
def on_poison(message: str) -> None:
    record("poison", content=message)
    if message.startswith("fail-again"):
        raise ValueError(message)


@app.timer_trigger("timer", "0 0 0 1 1 *", run_on_startup=True)
def at_startup(timer: func.TimerRequest) -> None:
    record("startup", past_due=timer.past_due)


@app.timer_trigger("timer", "%SCHEDULE%")
async def tick(timer: func.TimerRequest) -> None:
    record("tick", past_due=timer.past_due)
