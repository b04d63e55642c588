"""Strangers at the doors, in a process of their own: so many requests a second, none with the right proof.

    python -m bench.strangers http://127.0.0.1:7071 acme 500

It sends until its input ends, and then writes a line: how many of each answer came, within which time.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from urllib.parse import urlsplit

CONNECTIONS = 16
# One in so many has a body that is longer than any hook may be.
OVERLONG_EVERY, OVERLONG = 100, b"x" * (2 * 1024 * 1024 + 1)
BEGUN = "begun\n"  # said once the first of them was answered
_HOOK = json.dumps({"eventType": "workitem.updated", "resource": {"workItemId": 31, "rev": 2}}).encode()
# A host on Azure refuses the one without a key of its functions itself, as the simulated one does.
REFUSED = frozenset({401, 413})


@dataclass
class Crowd:
    """All strangers together, and what they were told."""

    requests: Sequence[bytes]
    rate: float
    told: Counter[int] = field(default_factory=Counter)

    async def send_until_told_to_stop(self, host: str, port: int, stopped: asyncio.Event) -> None:
        began, numbers = time.perf_counter(), iter(range(sys.maxsize))
        requests = cycle(self.requests)

        async def stranger() -> None:
            reader, writer = await asyncio.open_connection(host, port)
            while not stopped.is_set():
                # Each is sent at its moment, whether or not the one before was answered by then.
                wait = began + next(numbers) / self.rate - time.perf_counter()
                if wait > 0:
                    await asyncio.sleep(wait)
                writer.write(next(requests))
                status = await _status_of(reader)
                if not self.told:
                    print(BEGUN, end="", flush=True)
                self.told[status] += 1
            writer.close()

        await asyncio.gather(*(stranger() for _ in range(CONNECTIONS)))


async def _status_of(reader: asyncio.StreamReader) -> int:
    """Read one answer to its end, and return its status."""
    head = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    length = next((int(each[15:]) for each in head if each.lower().startswith(b"content-length:")), 0)
    await reader.readexactly(length)
    return int(head[0].split()[1])


def requests_to(host: str, slug: str) -> list[bytes]:
    """Return a hundred requests: bad signatures, wrong secrets and keys, names that nobody has."""
    nobody = "nobody-is-called-so"
    kinds = [
        _request(host, f"/api/sentry/{slug}/webhook", "Sentry-Hook-Signature: " + "0" * 64),
        _request(host, f"/api/sentry/{nobody}/webhook", "Sentry-Hook-Signature: " + "0" * 64),
        _request(host, f"/api/ado/{slug}/webhook", "Shared-Secret: a guess of somebody's"),
        _request(host, f"/api/ado/{nobody}/webhook", "Authorization: Basic eDphIGd1ZXNz"),
        _request(host, f"/api/ado/{slug}/webhook", "X-Nothing: at all"),
        _request(host, f"/api/sentry/{slug}/issue-link/link", "Sentry-App-Signature: " + "0" * 64),
        _request(host, f"/api/organizations/{slug}/links", "x-functions-key: a-guess"),
    ]
    overlong = _request(host, f"/api/ado/{slug}/webhook", "Shared-Secret: a guess", OVERLONG)
    return [overlong, *(kinds[number % len(kinds)] for number in range(OVERLONG_EVERY - 1))]


def _request(host: str, path: str, proof: str, body: bytes = _HOOK) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {host}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        proof,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def main(url: str, slug: str, rate: float) -> None:
    parts, stopped = urlsplit(url), asyncio.Event()
    crowd = Crowd(requests_to(parts.netloc, slug), rate)
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stopped.set)
    began = time.perf_counter()
    await crowd.send_until_told_to_stop(parts.hostname or "", parts.port or 80, stopped)
    print(json.dumps({"seconds": time.perf_counter() - began, "told": crowd.told}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
