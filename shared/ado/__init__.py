"""Azure DevOps: the REST client, the service hook's deliveries, and the vendor's quirks.

In: everything that knows a path, a field name or an answer of Azure DevOps.
Out: Sentry, storage, and what a value means for a link.
"""
