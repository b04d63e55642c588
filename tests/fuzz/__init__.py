"""Damaged and hostile input, drawn at random, and what may never come of it. docs/reliability.md#fuzzing."""
