"""Settles the links of a work item that changed."""

import logging

import azure.functions as func

from functions.edge import finish
from shared.domain.errors import Malformed, SyncError
from shared.domain.messages import decode_inbound
from shared.flows.syncing import sync_inbound
from shared.services import Services

logger = logging.getLogger(__name__)


def handle(message: func.QueueMessage, services: Services) -> None:
    """Handle one message: returning deletes it; raising retries it, in the end into the poison queue."""
    try:
        sync = decode_inbound(message.get_body())
    except Malformed as error:
        logger.error("outcome=drop %s", error.detail)  # noqa: TRY400  # a traceback would say nothing
        return
    try:
        outcomes = sync_inbound(sync, services)
    except SyncError as error:
        finish(services.inbound, sync, error)
        return
    logger.info("outcome=%s work_item=%s rev=%s", ",".join(outcomes), sync.work_item_id, sync.rev)
