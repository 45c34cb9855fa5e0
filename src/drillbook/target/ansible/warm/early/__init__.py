"""The warm server resolves the inventory of a session before a drill asks for it.

The rule: its result is what a cold run resolves, or there is no result.
"""
