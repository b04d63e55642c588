"""Every decision that the sync takes, as pure tables.

In: what counts as done, who is who, what to do about a link, what became of a write.
Out: asking anybody. A rule gets values and returns a value; it knows no clock, network or storage.
"""
