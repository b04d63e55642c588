"""Known ways to be wrong, each of which the simulation or a named test has to notice."""
