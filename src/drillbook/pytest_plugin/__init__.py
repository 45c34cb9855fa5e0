"""pytest's hooks, nodes and reports: the only package that imports `_pytest`."""
