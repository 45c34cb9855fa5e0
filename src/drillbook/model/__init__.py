"""Values and pure decisions: the standard library is all that this package imports."""
