"""Storage: the tables and queues, and how rows are keyed and read.

In: everything that knows a partition, a row key, an ETag or a queue's name.
Out: both vendors, and the decisions that depend on the rows.
"""
