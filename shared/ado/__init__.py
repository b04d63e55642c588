"""Azure DevOps: the REST client, the service hook's deliveries, and the vendor's quirks.

In: everything that knows Azure DevOps' paths, field names or answers.
Out: Sentry, storage, and what a value means for a link.
"""
