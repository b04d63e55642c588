"""Random schedules of edits, stray hooks, failures and crashes, run on a clock of their own and judged."""
