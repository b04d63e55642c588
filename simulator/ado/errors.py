"""The refusals of Azure DevOps: one exception, and the message, type and number of each case."""

from collections.abc import Mapping
from typing import Any

SERVER = "Microsoft.TeamFoundation.WorkItemTracking.Server"
CORE = "Microsoft.TeamFoundation.Core.WebApi"
SERVICES = "Microsoft.VisualStudio.Services.WebApi"


class Refused(Exception):
    """An answer of 4xx, with everything that the body of the real one holds."""

    def __init__(
        self,
        http_status: int,
        message: str,
        type_key: str,
        *,
        assembly: str = SERVICES,
        event_id: int = 3000,
        error_code: int = 0,
        custom: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.message = message
        self.type_key = type_key
        self.assembly = assembly
        self.event_id = event_id
        self.error_code = error_code
        self.custom = custom

    def to_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {"$id": "1"}
        if self.custom is not None:
            body["customProperties"] = dict(self.custom)
        return body | {
            "innerException": None,
            "message": self.message,
            "typeName": f"{self.assembly}.{self.type_key}, {self.assembly}",
            "typeKey": self.type_key,
            "errorCode": self.error_code,
            "eventId": self.event_id,
        }


class Unroutable(Exception):
    """A path without a route, answered in plain text.

    ADO quirk: work item 0 is such a path, not a missing work item (azure-devops-cli-extension recordings).
    """


def no_work_item(work_item_id: int) -> Refused:
    # ADO quirk: missing, deleted and not permitted cannot be told apart.
    return Refused(
        404,
        f"TF401232: Work item {work_item_id} does not exist, or you do not have permissions to read it.",
        "WorkItemUnauthorizedAccessException",
        assembly=SERVER,
        event_id=3200,
    )


def no_comment(work_item_id: int, comment_id: int) -> Refused:
    # The words of this refusal were not confirmed, only its status.
    message = f"VS403642: Comment {comment_id} of work item {work_item_id} does not exist."
    return Refused(404, message, "WorkItemCommentNotFoundException", assembly=SERVER, event_id=3200)


def no_project(name: str) -> Refused:
    return Refused(
        404,
        f"TF200016: The following project does not exist: {name}. Verify that the name of the project is"
        " correct and that the project exists on the specified Azure DevOps Server.",
        "ProjectDoesNotExistWithNameException",
        assembly=CORE,
    )


def no_type(name: str) -> Refused:
    return Refused(
        404,
        f"VS402323: Work item type {name} does not exist in the project.",
        "WorkItemTypeNotFoundException",
        assembly=SERVER,
        event_id=3200,
    )


def disabled_type(name: str) -> Refused:
    # That nobody can create one is documented; what the answer says was not confirmed.
    # https://learn.microsoft.com/azure/devops/organizations/settings/work/customize-process-work-item-type
    return bad_request(f"The work item type {name} is disabled.", "WorkItemTypeDisabledException")


def no_subscription(subscription_id: str) -> Refused:
    return Refused(
        404, f"Cannot find subscription with ID {subscription_id}.", "SubscriptionNotFoundException"
    )


def access_denied(name: str, right: str, project_id: str) -> Refused:
    """Refuse for want of a right to subscriptions, in the words of microsoft/appcenter issue 672."""
    resource = f"PublisherSecurity/{project_id}" if project_id else "PublisherSecurity"
    return Refused(
        403,
        f"Access Denied: {name} needs the following permission(s) on the resource {resource} to perform this"
        f" action: {right} Subscription",
        "AccessCheckException",
    )


def bad_request(message: str, type_key: str = "VssPropertyValidationException") -> Refused:
    return Refused(400, message, type_key)


def unwritable_text() -> Refused:
    # That it refuses is reported for 0xFFFF in a description and in the history; its words for REST are not
    # known. https://github.com/nkdAgility/azure-devops-migration-tools/issues/1883
    return bad_request("The value holds a character that is not valid.", "WorkItemFieldInvalidException")


def invalid_tag() -> Refused:
    # https://github.com/danhellem/github-actions-issue-to-work-item/issues/106
    message = "TF401407: The tag name is invalid. It contains invalid characters."
    return bad_request(message, "InvalidTagNameException")


def forbidden() -> Refused:
    # The words of this refusal were not confirmed, only its status.
    message = "TF401027: You need a permission that your account does not have to perform this action."
    return Refused(403, message, "AccessDeniedException")


def lost_token(http_status: int) -> Refused:
    # Neither the status nor the words are documented; a test may choose another status.
    return Refused(http_status, "The continuation token is not valid.", "InvalidContinuationTokenException")


def failed_test(path: str, value: object, tested: object) -> Refused:
    # ADO quirk: a failed "test" is 412; the message was seen live (azure-devops-mcp pull request 1526).
    return Refused(
        412,
        f"VS403351: Test Operation for path {path} failed, value {value} was not equal to test value"
        f" {tested}.",
        "TestPatchOperationFailedException",
        assembly=f"{SERVICES}.Patch",
    )


def rule_error(reference_name: str, message: str, *flags: str) -> Refused:
    """Refuse a field; ``flags`` are spelled as in fieldStatusFlags, such as "invalidEmpty"."""
    broken = {
        "fieldReferenceName": reference_name,
        "fieldStatusFlags": ", ".join(flags),
        "errorMessage": message,
        "fieldStatusCode": 524289,
        "ruleValidationErrors": None,
    }
    return Refused(
        400,
        message,
        "RuleValidationException",
        assembly=SERVER,
        event_id=3200,
        error_code=600171,
        custom={"ErrorMessage": None, "FieldReferenceName": None, "RuleValidationErrors": [broken]},
    )


def broken_rule(reference_name: str, name: str, *flags: str) -> Refused:
    codes = ", ".join(flag[0].upper() + flag[1:] for flag in flags)
    return rule_error(reference_name, f"TF401320: Rule Error for field {name}. Error code: {codes}.", *flags)


def unsupported_value(reference_name: str, name: str, value: object) -> Refused:
    return rule_error(
        reference_name,
        f"The field '{name}' contains the value '{value}' that is not in the list of supported values",
        "hasValues",
        "limitedToValues",
        "invalidListValue",
    )


def unknown_identity(name: str, value: object) -> Refused:
    return rule_error(
        "System.AssignedTo",
        f"The identity value '{value}' for field '{name}' is an unknown identity.",
        "invalidIdentityField",
    )


def unauthorized() -> Refused:
    return Refused(
        401,
        "TF400813: The user '' is not authorized to access this resource.",
        "UnauthorizedRequestException",
    )
