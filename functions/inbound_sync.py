"""Settles the links of a work item that changed, or carries a comment over to its issues."""

import azure.functions as func

from functions.edge import finish, worker_boundary
from functions.log import line, logger_for, subject_of
from shared.domain.errors import Malformed, SyncError
from shared.domain.messages import decode_inbound
from shared.flows.commenting_inbound import sync_ado_comment
from shared.flows.syncing import sync_inbound
from shared.services import Services

logger = logger_for(__name__)


@worker_boundary
def handle(message: func.QueueMessage, services: Services) -> None:
    """Handle one message: returning deletes it; raising retries it, in the end into the poison queue."""
    try:
        sync = decode_inbound(message.get_body())
    except Malformed as error:
        # A traceback would say nothing.
        logger.error(line("drop", queue="inbound-sync", kind=error.kind, why=error.detail))  # noqa: TRY400
        return
    try:
        sync_one = sync_inbound if sync.comment is None else sync_ado_comment
        outcomes = sync_one(sync, services)
    except SyncError as error:
        finish(services.inbound, sync, error)
        return
    logger.info(line(",".join(outcomes), **subject_of(sync)))
