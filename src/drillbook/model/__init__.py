"""Values and pure decisions. This package imports the standard library and nothing else."""
