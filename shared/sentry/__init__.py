"""Sentry: the REST client, the integration's deliveries and form, and the vendor's quirks.

In: everything that knows a path, a signature or an answer of Sentry.
Out: Azure DevOps, storage, and what a value means for a link.
"""
