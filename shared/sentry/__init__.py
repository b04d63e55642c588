"""Sentry: the REST client, the integration's deliveries and form, and the vendor's quirks.

In: everything that knows Sentry's paths, signatures or answers.
Out: Azure DevOps, storage, and what a value means for a link.
"""
