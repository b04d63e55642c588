"""What a 400 of Azure DevOps says: a race, a person who is nobody there, or a rule."""

from typing import Any

import pytest

from shared.ado.refusals import meaning_of
from shared.http import Meaning
from simulator.ado.errors import broken_rule, unknown_identity, unsupported_value


def rule(reference_name: str, flags: str, message: str = "Eine Regel wurde verletzt.") -> dict[str, Any]:
    broken = {"fieldReferenceName": reference_name, "fieldStatusFlags": flags, "errorMessage": message}
    return {"message": message, "customProperties": {"RuleValidationErrors": [broken]}}


@pytest.mark.parametrize(
    ("content", "meaning"),
    [
        ({"message": "TF26071: This work item has been changed by someone else since."}, Meaning.CONFLICT),
        ({"message": "VS402625: Dates must be increasing with each revision."}, Meaning.CONFLICT),
        (
            {"message": "The identity value 'x' for field 'Assigned To' is an unknown identity."},
            Meaning.NOBODY,
        ),
        # Messages of a Server are translated; flags are not.
        (rule("System.AssignedTo", "invalidIdentityField"), Meaning.NOBODY),
        (rule("System.AssignedTo", "hasValues, limitedToValues, invalidListValue"), Meaning.NOBODY),
        (rule("System.AssignedTo", "required, invalidEmpty"), Meaning.REFUSED),
        (rule("System.AssignedTo", "readOnly, hasValues"), Meaning.REFUSED),
        (rule("System.State", "hasValues, limitedToValues, invalidListValue"), Meaning.REFUSED),
        (
            {"message": "The identity 'Ann' for field 'Assigned To' is ambiguous."},
            Meaning.SEVERAL,
        ),
        ({"message": "TF401320: Rule Error for field Assigned To. Error code: Required."}, Meaning.REFUSED),
        ({"message": None}, Meaning.REFUSED),
        ({"message": "no", "customProperties": {"RuleValidationErrors": "odd"}}, Meaning.REFUSED),
        ({"message": "no", "customProperties": [1]}, Meaning.REFUSED),
        ({"message": "no", "customProperties": {"RuleValidationErrors": [None, 7]}}, Meaning.REFUSED),
        ({}, Meaning.REFUSED),
    ],
)
def test_a_400_means_what_its_numbers_flags_and_words_say(content: Any, meaning: Meaning) -> None:
    assert meaning_of(content) is meaning


def test_the_fake_says_it_alike() -> None:
    refusals = [
        unknown_identity("Assigned To", "x@y"),
        broken_rule("System.AssignedTo", "Assigned To", "required", "invalidEmpty"),
        unsupported_value("System.State", "State", "Closed"),
    ]
    meanings = [meaning_of({"message": each.message, "customProperties": each.custom}) for each in refusals]
    assert meanings == [Meaning.NOBODY, Meaning.REFUSED, Meaning.REFUSED]
