"""What each function brings about, one file a flow.

In: the order of steps of one capability, built from the rooms below.
Out: HTTP, queues and triggers (`functions`), and decisions that a rule could take (`domain.rules`).
"""
