"""Values, rules, errors and messages: what the sync is about, without a way to reach anybody.

In: frozen values, decisions as pure functions, the error tree and its consequences, the document.
Out: I/O, a clock, randomness, `requests`, `azure`. A moment or a token is always an argument.
"""
