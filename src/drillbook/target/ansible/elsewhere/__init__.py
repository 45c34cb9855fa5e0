"""Processes that plays leave running on other hosts.

The rule: Drillbook ends them before an undo begins, or says that it could not.
"""
