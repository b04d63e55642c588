"""A local stand-in for the Azure Functions host: `python -m simulator.host --port 7071`.

It runs `function_app.py` as Azure's host would: HTTP routes, function keys, queue triggers with their retries
and poison queues, timers, and `POST /admin/functions/NAME` with `{"input": "..."}` to run any other function
now. `GET /admin/host/status` answers as soon as it serves, and needs no key.

It is for development and tests, and differs from Azure's host. It does not do: scale-out and its leases
(two hosts would both run a timer), function time-outs and the 230 seconds of the front end, retry policies,
the key store, App Service authentication, Application Insights and trace contexts, bindings other than HTTP,
queue and timer triggers, streamed bodies, TLS and HTTP/2, records of past timer runs, the whole of ASP.NET's
route syntax. Without Microsoft's runtime (Python 3.13) only the cheaper of the worker's load-time checks are
made.

One convenience that Azure lacks: a piece of work that ends, an HTTP request for instance, makes the listeners
poll their queues at once. `--azure-polling` takes it away, so that waiting for a queue can be measured.
"""

import argparse
import functools
import logging
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from simulator.ending import Ending
from simulator.host.app import (
    HostedFunction,
    HostOptions,
    HttpTrigger,
    LoadError,
    QueueTrigger,
    TimerTrigger,
    apply_settings,
    load_functions,
)
from simulator.host.engines import ENGINES, choose_engine
from simulator.host.http import Keys, Site
from simulator.host.queues import QueueListener
from simulator.host.server import Server
from simulator.host.storage import queue_client
from simulator.host.timers import Timer
from simulator.host.work import Work

_DRAIN_SECONDS = 10.0

logger = logging.getLogger("host")


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    app: Path
    port: int
    engine: str
    lease_seconds: int
    azure_polling: bool
    keys: Keys = field(repr=False)


class Host:
    """One running app."""

    def __init__(self, options: Options, environ: Mapping[str, str]) -> None:
        settings = HostOptions.from_file(options.app / "host.json")
        self.functions = load_functions(options.app, environ)
        self.prefix = settings.route_prefix
        self.engine = choose_engine(options.engine, environ)
        for function in self.functions:
            self.engine.load(function)
        self._work = Work(self.engine)
        self._triggers: list[QueueListener | Timer] = []
        for function in self.functions:
            if function.is_disabled:
                continue
            match function.trigger:
                case QueueTrigger(queue, connection):
                    self._triggers.append(
                        QueueListener(
                            function,
                            queue,
                            functools.partial(queue_client, connection, environ=environ),
                            settings.queues,
                            options.lease_seconds,
                            self._work,
                            azure_polling=options.azure_polling,
                        )
                    )
                case TimerTrigger() as timer:
                    self._triggers.append(Timer(function, timer, self._work))
        body_limit = int(environ.get("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", "104857600"))
        site = Site(self.functions, self.prefix, options.keys, self._work)
        try:
            self._server = Server(options.port, site, self._work, body_limit)
        except OSError as error:
            raise LoadError(f"port {options.port}: {error.strerror}") from error
        self.port = self._server.server_port

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, name="http", daemon=True).start()
        for trigger in self._triggers:
            trigger.start()

    def stop(self) -> bool:
        """Take nothing new, and return whether all running work ended in time."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        self._server.is_stopping = True
        for trigger in self._triggers:
            trigger.stop()
        self._server.shutdown()
        self._server.server_close()
        for trigger in self._triggers:
            trigger.join(max(0.0, deadline - time.monotonic()))
        return self._work.wait_until_done(max(0.0, deadline - time.monotonic()))


def main(arguments: Sequence[str] | None = None) -> int:
    options, is_quiet = _parse(arguments)
    _log_to_stderr(is_quiet=is_quiet)
    ending = Ending()
    try:
        os.chdir(options.app)
        apply_settings(options.app, os.environ)
        host = Host(options, os.environ)
    except (LoadError, OSError) as error:
        return _refuse(error)
    host.start()
    print(f"listening on http://127.0.0.1:{host.port}", flush=True)
    for function in host.functions:
        print(_describe(function, host.prefix), flush=True)
    logger.info("engine: %s", host.engine.name)
    ending.wait()
    if not host.stop():
        logger.warning("still at work after %d seconds: ended all the same", _DRAIN_SECONDS)
        logging.shutdown()
        # Threads that never end would keep the interpreter waiting for them.
        os._exit(0)
    return 0


def _refuse(error: Exception) -> int:
    logger.error("the app cannot be hosted: %s", error, exc_info=error.__cause__)
    return 1


def _describe(function: HostedFunction, prefix: str) -> str:
    trigger = function.trigger
    where = str(trigger)
    if isinstance(trigger, HttpTrigger):
        methods, _, route = where.partition(" ")
        where = f"{methods} /{'/'.join(filter(None, (prefix.strip('/'), route.strip('/'))))}"
    return f"{function.name} {trigger.kind} {where}{' (disabled)' if function.is_disabled else ''}"


def _parse(arguments: Sequence[str] | None) -> tuple[Options, bool]:
    parser = argparse.ArgumentParser(
        prog="python -m simulator.host",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=7071, help="0 lets the system choose (default: 7071)")
    parser.add_argument(
        "--app", type=Path, default=Path(), metavar="DIR", help="the folder of function_app.py"
    )
    parser.add_argument("--engine", choices=ENGINES, default="auto", help="what calls the functions")
    parser.add_argument(
        "--lease",
        type=_positive,
        default=600,
        metavar="SECONDS",
        help="how long a received message stays invisible if the host dies (default: 600, as in Azure)",
    )
    parser.add_argument(
        "--function-key",
        default=os.environ.get("SIMULATOR_FUNCTION_KEY"),
        metavar="KEY",
        help="demand this key, or the master key, at level FUNCTION (else: $SIMULATOR_FUNCTION_KEY, or open)",
    )
    parser.add_argument(
        "--master-key",
        default=os.environ.get("SIMULATOR_MASTER_KEY"),
        metavar="KEY",
        help="demand this key at level ADMIN and under /admin/functions (else: $SIMULATOR_MASTER_KEY)",
    )
    parser.add_argument(
        "--azure-polling",
        action="store_true",
        help="poll an idle queue no sooner than Azure's host would, by maxPollingInterval of host.json",
    )
    parser.add_argument("--quiet", action="store_true", help="do not log a line for each request")
    parsed = parser.parse_args(arguments)
    keys = Keys(parsed.function_key or None, parsed.master_key or None)
    options = Options(
        parsed.app.resolve(), parsed.port, parsed.engine, parsed.lease, parsed.azure_polling, keys
    )
    return options, parsed.quiet


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _log_to_stderr(*, is_quiet: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("[%(name)s] %(levelname)s %(message)s"))
    # Functions quirk: the worker keeps what these loggers say to itself (azure-functions-python-worker,
    # logging.py); an app that uses such a name must miss its lines here too.
    handler.addFilter(
        lambda record: not record.name.startswith(("azure.functions", "azure_functions_worker"))
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    if is_quiet:
        logging.getLogger("host.http").setLevel(logging.WARNING)
