"""Queue triggers: one listener for each, which receives and runs each message and decides its disposition."""

import base64
import binascii
import contextlib
import enum
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.functions.meta import Datum
from azure.storage.queue import QueueClient, QueueMessage

from simulator.host.app import HostedFunction, QueueOptions
from simulator.host.work import Work

_SHORTEST_PAUSE_SECONDS = 0.1
# A busy app rings the bell hundreds of times a second; polling that often would slow the app down.
_PAUSE_BETWEEN_POLLS_SECONDS = 0.05
# Functions quirk: in local development the host never waits longer, whatever maxPollingInterval says (Learn,
# host.json settings of the queue trigger).
_LONGEST_PAUSE_SECONDS = 2.0
_POISON_SUFFIX = "-poison"

logger = logging.getLogger("host.queues")


class Disposition(enum.Enum):
    """The disposition of a message that has been handled."""

    DELETED = "deleted"
    RELEASED = "released"
    POISONED = "poisoned"
    LEFT = "left invisible until its lease ends"


def decide_disposition(
    queue: str, dequeue_count: int, options: QueueOptions, *, succeeded: bool
) -> Disposition:
    if succeeded:
        return Disposition.DELETED
    # Functions quirk: a poison queue has no poison queue; what fails there waits for its lease to end and
    # comes again, forever (QueueProcessor.cs).
    if queue.endswith(_POISON_SUFFIX):
        return Disposition.LEFT
    return Disposition.POISONED if dequeue_count >= options.max_dequeue_count else Disposition.RELEASED


def queue_datum(content: bytes) -> Datum:
    """Give a message to the worker as text where it is text."""
    try:
        return Datum(content.decode(), "string")
    except UnicodeDecodeError:
        return Datum(content, "bytes")


class _Lease:
    """A received message that nobody else sees for now. Renewing changes the receipt that settling needs."""

    def __init__(self, queue: QueueClient, message: QueueMessage, seconds: int) -> None:
        self.message = message
        self._queue = queue
        self._seconds = seconds
        self._receipt = message.pop_receipt
        self._renew_at = time.monotonic() + seconds / 2
        self._lock = threading.Lock()
        self._settled = False

    def renew_if_due(self) -> None:
        with self._lock:
            if not self._settled and time.monotonic() >= self._renew_at:
                self._set_visibility(self._seconds)
                self._renew_at = time.monotonic() + self._seconds / 2

    def delete(self) -> None:
        with self._lock:
            self._settled = True
            self._queue.delete_message(self.message.id, self._receipt)

    def release(self, visible_in_seconds: int) -> None:
        with self._lock:
            self._settled = True
            self._set_visibility(visible_in_seconds)

    def _set_visibility(self, seconds: int) -> None:
        changed = self._queue.update_message(self.message.id, self._receipt, visibility_timeout=seconds)
        self._receipt = changed.pop_receipt


class QueueListener:
    """Polls one queue and handles up to `batchSize + newBatchThreshold` messages at a time."""

    def __init__(
        self,
        function: HostedFunction,
        queue_name: str,
        connect: Callable[[str], QueueClient],
        options: QueueOptions,
        lease_seconds: int,
        work: Work,
        *,
        azure_polling: bool = False,
    ) -> None:
        self._function = function
        self._name = queue_name
        self._queue = connect(queue_name)
        self._poison_queue = connect(queue_name + _POISON_SUFFIX)
        self._options = options
        self._lease_seconds = lease_seconds
        self._work = work
        self._leases: set[_Lease] = set()
        self._leases_lock = threading.Lock()
        self._is_storage_out = False
        self._stopping = threading.Event()
        self._finished = threading.Event()
        self._bell = threading.Event()
        self._longest_pause = options.max_polling_seconds
        if not azure_polling:
            self._longest_pause = min(self._longest_pause, _LONGEST_PAUSE_SECONDS)
            work.ring_when_done(self._bell)
        self._thread = threading.Thread(target=self._listen, name=f"queue {queue_name}", daemon=True)
        self._renewer = threading.Thread(target=self._renew, name=f"leases of {queue_name}", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._renewer.start()

    def stop(self) -> None:
        """Receive nothing more."""
        self._stopping.set()
        self._bell.set()

    def join(self, seconds: float) -> None:
        """Wait for the messages in progress."""
        self._thread.join(seconds)

    def _listen(self) -> None:
        pause = _SHORTEST_PAUSE_SECONDS
        most_at_once = self._options.batch_size + self._options.new_batch_threshold
        with ThreadPoolExecutor(most_at_once, thread_name_prefix=self._name) as threads:
            while not self._stopping.is_set():
                polled_at = time.monotonic()
                received = self._receive() if self._has_room() else []
                for lease in received:
                    threads.submit(self._handle, lease)
                if received:
                    pause = _SHORTEST_PAUSE_SECONDS
                elif self._bell.wait(pause):
                    self._stopping.wait(_PAUSE_BETWEEN_POLLS_SECONDS - (time.monotonic() - polled_at))
                    self._bell.clear()
                    pause = _SHORTEST_PAUSE_SECONDS
                else:
                    pause = min(pause * 2, self._longest_pause)
        self._finished.set()

    def _has_room(self) -> bool:
        with self._leases_lock:
            return len(self._leases) <= self._options.new_batch_threshold

    def _receive(self) -> list[_Lease]:
        try:
            messages = self._fetch()
        except AzureError as error:
            if not self._is_storage_out:
                logger.warning("%s: cannot be read, trying on: %s", self._name, _first_line(error))
            self._is_storage_out = True
            return []
        if self._is_storage_out:
            logger.info("%s: can be read again", self._name)
        self._is_storage_out = False
        leases = [_Lease(self._queue, message, self._lease_seconds) for message in messages]
        with self._leases_lock:
            self._leases.update(leases)
        return leases

    def _fetch(self) -> list[QueueMessage]:
        """Receive one batch of raw texts: one undecodable message must not fail the others."""
        try:
            pages = self._queue.receive_messages(
                messages_per_page=self._options.batch_size, visibility_timeout=self._lease_seconds
            ).by_page()
            return list(next(pages, ()))
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):
                self._queue.create_queue()
            return []

    def _handle(self, lease: _Lease) -> None:
        with self._work.piece():
            try:
                self._settle(lease, self._run(lease.message))
            except AzureError as error:
                # Nothing is lost: the message is there again when its lease has run out.
                logger.warning("%s: message %s: %s", self._name, lease.message.id, _first_line(error))
            finally:
                with self._leases_lock:
                    self._leases.remove(lease)
                # There is room for the next one, whoever else rings or does not.
                self._bell.set()

    def _run(self, message: QueueMessage) -> Disposition:
        try:
            content = self._decode(message.content or "")
        except binascii.Error:
            logger.warning("%s: message %s is not base64", self._name, message.id)
            # Functions quirk: it is poison at once, undecoded, however few the attempts (QueueListener.cs).
            return Disposition.LEFT if self._name.endswith(_POISON_SUFFIX) else Disposition.POISONED
        succeeded = self._work.try_run(self._function, queue_datum(content), _metadata(message))
        return decide_disposition(self._name, message.dequeue_count or 0, self._options, succeeded=succeeded)

    def _decode(self, text: str) -> bytes:
        if not self._options.is_base64:
            return text.encode()
        # .NET's decoder takes white space and nothing else that is strange.
        return base64.b64decode("".join(text.split()), validate=True)

    def _settle(self, lease: _Lease, disposition: Disposition) -> None:
        if disposition is Disposition.POISONED:
            logger.warning("%s: message %s goes to the poison queue", self._name, lease.message.id)
            self._send_to_poison(lease.message.content or "")
        if disposition in {Disposition.DELETED, Disposition.POISONED}:
            lease.delete()
        elif disposition is Disposition.RELEASED:
            lease.release(self._options.visibility_seconds)

    def _send_to_poison(self, text: str) -> None:
        # Functions quirk: no time to live is given, so a poison message is gone after the service's default
        # of seven days (QueueProcessor.cs).
        try:
            self._poison_queue.send_message(text)
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):
                self._poison_queue.create_queue()
            self._poison_queue.send_message(text)

    def _renew(self) -> None:
        while not self._finished.wait(self._lease_seconds / 8):
            with self._leases_lock:
                leases = list(self._leases)
            for lease in leases:
                try:
                    lease.renew_if_due()
                except AzureError as error:
                    logger.warning("%s: lease not renewed: %s", self._name, _first_line(error))


def _metadata(message: QueueMessage) -> dict[str, Datum]:
    times = {
        "ExpirationTime": message.expires_on,
        "InsertionTime": message.inserted_on,
        "NextVisibleTime": message.next_visible_on,
    }
    return {
        "Id": Datum(message.id, "string"),
        "PopReceipt": Datum(message.pop_receipt, "string"),
        "DequeueCount": Datum(message.dequeue_count, "int"),
        **{name: Datum(at.isoformat(), "string") for name, at in times.items() if isinstance(at, datetime)},
    }


def _first_line(error: AzureError) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
