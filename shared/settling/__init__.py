"""Settling one link: observe both ends, decide, announce, write, record.

In: the steps that bring the two ends of one link into agreement, safe against a crash at any point.
Out: which links to settle and when (`flows`), and the decisions themselves (`domain.rules`).
"""
