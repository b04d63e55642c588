"""Tells a secret from a text that only stands in its place: a reference nobody resolved, a sample's words.

Whoever can read a template or a guide knows such a text. Taken for the secret, it would let anybody in.
"""

import re

# What no secret begins or ends with; files and pastes leave these behind.
_AROUND = " \t\r\n\v\f\x85\xa0\u2028\u2029\u200b\ufeff"

# Where App Service cannot resolve a reference, its own text becomes the value.
# https://learn.microsoft.com/azure/app-service/app-service-key-vault-references#troubleshoot-key-vault-references
_REFERENCES = (
    ("@microsoft.keyvault(", "is a Key Vault reference that was not resolved"),
    ("@microsoft.appconfiguration(", "is an App Configuration reference that was not resolved"),
)
_PLACEHOLDER = "is a placeholder and no secret"
# Whole texts only: a secret may well hold one of these words.
_STANDS_IN = re.compile(
    r"<.*>"  # <your secret>
    r"|\$(?:env:\w+|(?-i:[A-Z_][A-Z0-9_]*))"  # variables of a shell that nobody filled in
    r"|\$\(.*\)|\$?\{.*\}|#\{.*\}#|%.*%|__.*__"  # variables of a pipeline or a template that nobody filled in
    r"|change[-_ ]?(?:me|it|this)!?|replace[-_ ]?(?:me|it|this|with[-_ ].*)|insert[-_ ].*[-_ ]here"
    r"|your[-_ ].+|put[-_ ].*[-_ ]here|placeholder"
    r"|to[-_ ]?do|tbd|null|none|undefined"
    r"|…|[0-9a-z]{1,8}…|([.*x_-])\1{2,}",
    re.IGNORECASE | re.DOTALL,
)
# The words of this project's own README.
_SAMPLE = "THE-SECRET"


def _bare(text: str) -> str:
    """Return a secret without what may surround it."""
    return text.strip(_AROUND)


def usable(text: str) -> str:
    """Return a secret without what may surround it; empty for a text that stands in for one."""
    return "" if find_flaw(text) else _bare(text)


def find_flaw(text: str) -> str | None:
    """Return what is wrong with a text that stands in for a secret, as the rest of a sentence, or None."""
    value = _bare(text)
    lower = value.lower()
    for beginning, flaw in _REFERENCES:
        if lower.startswith(beginning):
            return flaw
    return _PLACEHOLDER if value == _SAMPLE or _STANDS_IN.fullmatch(value) else None
