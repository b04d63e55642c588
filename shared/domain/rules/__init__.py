"""Every decision of the sync, as pure functions and tables.

In: what counts as done, who is who, what to do about a link, whether a write landed.
Out: I/O. A rule takes values and returns a value; it knows no clock, network or storage.
"""
