"""Every function of the app: its trigger, its route, who may call it, and its queue."""

import azure.functions as func

import functions
from shared.services import services
from shared.store.queues import INBOUND_QUEUE, OUTBOUND_QUEUE

app = func.FunctionApp()
STORAGE = "AzureWebJobsStorage"
ANONYMOUS = func.AuthLevel.ANONYMOUS  # The handler itself verifies the sender.
FUNCTION = func.AuthLevel.FUNCTION


@app.function_name("ado_webhook")
@app.route("ado/{organization}/webhook", methods=["POST"], auth_level=ANONYMOUS)
def receive_ado_hook(req: func.HttpRequest) -> func.HttpResponse:
    return functions.ado_webhook.handle(req, services())


@app.function_name("sentry_webhook")
@app.route("sentry/{organization}/webhook", methods=["POST"], auth_level=ANONYMOUS)
def receive_sentry_hook(req: func.HttpRequest) -> func.HttpResponse:
    return functions.sentry_webhook.handle(req, services())


@app.function_name("inbound_sync")
@app.queue_trigger("message", INBOUND_QUEUE, STORAGE)
def sync_inbound(message: func.QueueMessage) -> None:
    functions.inbound_sync.handle(message, services())


@app.function_name("outbound_sync")
@app.queue_trigger("message", OUTBOUND_QUEUE, STORAGE)
def sync_outbound(message: func.QueueMessage) -> None:
    functions.outbound_sync.handle(message, services())


@app.function_name("reconcile")
@app.timer_trigger("timer", "0 */5 * * * *")
def reconcile_organizations(timer: func.TimerRequest) -> None:  # noqa: ARG001  # the trigger requires it
    functions.reconcile.handle_timer(services())


@app.function_name("reconcile_now")
@app.route("organizations/{organization}/reconcile", methods=["POST"], auth_level=FUNCTION)
def reconcile_organization(req: func.HttpRequest) -> func.HttpResponse:
    return functions.reconcile.handle(req, services())


@app.function_name("hook_watchdog")
@app.timer_trigger("timer", "0 2/15 * * * *")
def watch_subscriptions(timer: func.TimerRequest) -> None:  # noqa: ARG001  # the trigger requires it
    functions.hook_watchdog.handle_timer(services())


@app.function_name("hooks")
@app.route("organizations/{organization}/hooks", methods=["GET", "POST", "DELETE"], auth_level=FUNCTION)
def show_subscriptions(req: func.HttpRequest) -> func.HttpResponse:
    return functions.hook_watchdog.handle(req, services())


@app.function_name("search")
@app.route("organizations/{organization}/search", methods=["GET"], auth_level=FUNCTION)
def search_work_items(req: func.HttpRequest) -> func.HttpResponse:
    return functions.search.handle(req, services())


@app.function_name("sentry_components")
@app.route("sentry/{organization}/{area}/{name}", methods=["GET", "POST"], auth_level=ANONYMOUS)
def serve_sentry_form(req: func.HttpRequest) -> func.HttpResponse:
    return functions.sentry_components.handle(req, services())


@app.function_name("org_config")
@app.route(
    "organizations/{organization}/config",
    methods=["GET", "PUT", "PATCH", "DELETE"],
    auth_level=FUNCTION,
)
def configure_organization(req: func.HttpRequest) -> func.HttpResponse:
    return functions.org_config.handle(req, services())


@app.function_name("issue_links")
@app.route(
    "organizations/{organization}/links/{issue_id?}/{work_item_id?}",
    methods=["GET", "POST", "DELETE"],
    auth_level=FUNCTION,
)
def link_issues(req: func.HttpRequest) -> func.HttpResponse:
    return functions.issue_links.handle(req, services())


@app.function_name("activity")
@app.route(
    "organizations/{organization}/links/{issue_id}/{work_item_id}/activity",
    methods=["GET"],
    auth_level=FUNCTION,
)
def list_activity(req: func.HttpRequest) -> func.HttpResponse:
    return functions.activity.handle(req, services())


@app.function_name("copy_link")
@app.route(
    "organizations/{organization}/links/{issue_id}/{work_item_id}/copy",
    methods=["POST"],
    auth_level=FUNCTION,
)
def copy_one_side(req: func.HttpRequest) -> func.HttpResponse:
    return functions.copy_link.handle(req, services())


@app.function_name("adopt")
@app.route("organizations/{organization}/adopt", methods=["POST"], auth_level=FUNCTION)
def adopt_links(req: func.HttpRequest) -> func.HttpResponse:
    return functions.adopt.handle(req, services())


@app.function_name("rebuild")
@app.route("organizations/{organization}/rebuild", methods=["POST"], auth_level=FUNCTION)
def rebuild_links(req: func.HttpRequest) -> func.HttpResponse:
    return functions.rebuild.handle(req, services())


@app.function_name("explain")
@app.route("organizations/{organization}/explain", methods=["GET"], auth_level=FUNCTION)
def explain_one(req: func.HttpRequest) -> func.HttpResponse:
    return functions.explain.handle(req, services())


@app.function_name("organizations")
@app.route("organizations", methods=["GET"], auth_level=FUNCTION)
def list_organizations(req: func.HttpRequest) -> func.HttpResponse:
    return functions.organizations.handle(req, services())


@app.function_name("status")
@app.route("organizations/{organization}/status", methods=["GET"], auth_level=FUNCTION)
def show_status(req: func.HttpRequest) -> func.HttpResponse:
    return functions.status.handle(req, services())


@app.function_name("doctor")
@app.route("organizations/{organization}/doctor", methods=["GET"], auth_level=FUNCTION)
def examine_organization(req: func.HttpRequest) -> func.HttpResponse:
    return functions.doctor.handle(req, services())


@app.function_name("events")
@app.route("organizations/{organization}/events", methods=["GET"], auth_level=FUNCTION)
def list_events(req: func.HttpRequest) -> func.HttpResponse:
    return functions.events.handle(req, services())


@app.function_name("admin")
@app.route("organizations/{organization}/admin", methods=["GET"], auth_level=ANONYMOUS)
def show_admin_page(req: func.HttpRequest) -> func.HttpResponse:
    return functions.admin.handle(req, services())


@app.function_name("health")
@app.route("health", methods=["GET"], auth_level=ANONYMOUS)
def report_health(req: func.HttpRequest) -> func.HttpResponse:
    return functions.health.handle(req, services())


@app.function_name("openapi")
@app.route("openapi.json", methods=["GET"], auth_level=FUNCTION)
def describe_surface(req: func.HttpRequest) -> func.HttpResponse:
    return functions.openapi.handle(req, services())
