"""The app's HTTP API, as the admin page speaks it: one request, its answer, or what ends the command."""

from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from time import sleep, time
from typing import Any
from urllib.parse import quote

import requests

from operate.errors import CannotReach, NotNow, NotThere, ProblemFound, WrongUsage

_TIMEOUT = (10, 240)  # seconds to connect and to answer; the platform ends a request after 230
_TRIES, _LONGEST_WAIT = 3, 15.0
# What time may cure, of all that is answered 503; a service that asks the app to wait is ``unavailable``.
_PASSING = frozenset({"busy", "unavailable"})
_THEIRS = frozenset({400, 404, 409, 412, 413, 428})


class Client:
    """``key`` is a function key; it is sent in a header, to the app's own address and nowhere else."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.headers["x-functions-key"] = key
        # Without this, requests looks for other credentials in .netrc.
        self._session.auth = _as_it_is
        # By how many seconds the app's clock is ahead of ours, by its last answer.
        self.clock_ahead: float | None = None

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, query=query).json()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        json: Any = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Make a request; one that the app asks to repeat is repeated. Raise what ends the command."""
        for left in reversed(range(_TRIES)):
            answer = self._sent(
                method, path, params=_given(query), json=json, data=body, headers=dict(headers or {})
            )
            wait = _wait(answer)
            if wait is None or not left:
                break
            sleep(wait)
        return _verified(answer)

    def pages(self, path: str, name: str, **query: Any) -> Iterator[Any]:
        """Yield what all pages of a list hold."""
        continuation = None
        while True:
            page = self.get(path, **query, continuation=continuation)
            yield from page[name]
            continuation = page.get("continuation")
            if continuation is None:
                return

    def _sent(self, method: str, path: str, **sent: Any) -> requests.Response:
        began = time()
        try:
            answer = self._session.request(
                method, f"{self.url}api/{path}", timeout=_TIMEOUT, allow_redirects=False, **sent
            )
        except requests.exceptions.SSLError:
            raise CannotReach(
                f"The certificate of {self.url} is not trusted here. Behind a proxy that reads along, name "
                "its certificate in REQUESTS_CA_BUNDLE."
            ) from None
        except requests.Timeout:
            raise CannotReach(f"{self.url} did not answer in time. Is the app running?") from None
        except requests.RequestException as error:
            why = "its name is not known" if "resol" in str(error).lower() else "nobody answers there"
            raise CannotReach(f"{self.url} cannot be reached: {why}. Is --app right?") from None
        self._note_clock(answer, (began + time()) / 2)
        return answer

    def _note_clock(self, answer: requests.Response, now: float) -> None:
        try:
            dated = parsedate_to_datetime(answer.headers.get("Date", ""))
        except (ValueError, TypeError):
            return
        self.clock_ahead = dated.timestamp() + 0.5 - now


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def segment(text: object) -> str:
    """Return text as one segment of a path."""
    return quote(str(text), safe="")


def _given(query: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (query or {}).items() if value is not None}


def _wait(answer: requests.Response) -> float | None:
    """Return the seconds after which to ask again, None if there is nothing to wait for."""
    if not _is_passing(answer):
        return None
    try:
        seconds = float(answer.headers.get("Retry-After", "2"))
    except ValueError:
        return None
    return seconds if seconds <= _LONGEST_WAIT else None


def _is_passing(answer: requests.Response) -> bool:
    return answer.status_code == 503 and _content(answer).get("error") in _PASSING


def _content(answer: requests.Response) -> dict[str, Any]:
    try:
        content = answer.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _verified(answer: requests.Response) -> requests.Response:
    """Return a success; raise what ends the command for anything else."""
    status = answer.status_code
    if status < 300:
        return answer
    content = _content(answer)
    kind, detail = str(content.get("error") or ""), str(content.get("detail") or "")
    if isinstance(content.get("errors"), dict):
        wrong = "".join(f"\n  {path}: {problem}" for path, problem in content["errors"].items())
        raise WrongUsage(f"{_sentence(detail)}{wrong}")
    if status in {401, 403} and not kind:
        raise CannotReach(
            "The app does not accept this key. Give a function key or host key with --key or SENTRY_ADO_KEY, "
            "or -g GROUP to fetch it through az."
        )
    if status == 404:
        raise NotThere(kind, _sentence(detail) or "The app has no such route: is it an older version?")
    if status in _THEIRS:
        raise WrongUsage(_sentence(detail) or f"The app refuses it ({status}).")
    if not kind:
        raise CannotReach(f"The app answers {status}. Its log has the reason.")
    raise (NotNow if _is_passing(answer) else ProblemFound)(f"{_sentence(detail)} ({kind})")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] if text else ""
