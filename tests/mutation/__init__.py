"""Changes each expression of the core in turn, and asks the unit and contract tests to notice."""
