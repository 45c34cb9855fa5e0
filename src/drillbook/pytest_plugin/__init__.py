"""pytest's hooks, nodes and reports. This is the only package that imports `_pytest`."""
