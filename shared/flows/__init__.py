"""What each function does, one file for each flow.

In: the order of steps of one capability, built from the layers below.
Out: HTTP, queues and triggers (`functions`), and decisions that a rule can make (`domain.rules`).
"""
