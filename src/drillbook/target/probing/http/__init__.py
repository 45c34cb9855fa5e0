"""HTTP for the prober and the load: a connection, the way to an answer, and the part of the answer that is kept."""
