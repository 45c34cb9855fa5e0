"""HTTP as the prober and the load need it: a line, the way to an answer, and what is kept of it."""
