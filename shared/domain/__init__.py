"""Values, rules, errors and messages: the subject of the sync, without any I/O.

In: frozen values, decisions as pure functions, the error tree and its consequences, the document.
Out: I/O, a clock, randomness, `requests`, `azure`. A time or a token is always an argument.
"""
