"""Settles an issue's links, carries a comment over to its work items, or creates one as a rule asks."""

from collections.abc import Callable

import azure.functions as func

from functions.edge import finish
from functions.log import line, logger_for, subject_of
from shared.domain.errors import Malformed, SyncError
from shared.domain.messages import OutboundMessage, decode_outbound
from shared.flows.back_links import look_at_pair
from shared.flows.commenting import sync_comment
from shared.flows.creating_by_rule import create_by_rule
from shared.flows.regressing import tell_of_regression
from shared.flows.syncing import sync_outbound
from shared.services import Services

logger = logger_for(__name__)


def handle(message: func.QueueMessage, services: Services) -> None:
    """Handle one message: returning deletes it; raising retries it, in the end into the poison queue."""
    try:
        sync = decode_outbound(message.get_body())
    except Malformed as error:
        # A traceback would say nothing.
        logger.error(line("drop", queue="outbound-sync", kind=error.kind, why=error.detail))  # noqa: TRY400
        return
    try:
        outcomes = _flow_of(sync)(sync, services)
    except SyncError as error:
        finish(services.outbound, sync, error)
        return
    logger.info(line(",".join(outcomes), **subject_of(sync)))


def _flow_of(message: OutboundMessage) -> Callable[[OutboundMessage, Services], list[str]]:
    if message.action is not None:
        return create_by_rule
    if message.shown_on is not None:
        return look_at_pair
    if message.regression is not None:
        return tell_of_regression
    return sync_outbound if message.comment_id is None else sync_comment
