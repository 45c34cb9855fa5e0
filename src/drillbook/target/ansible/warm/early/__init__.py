"""The inventory of a session, resolved by the warm server before a drill asks for it.

The rule: what comes of it is what a cold run resolves, or there is nothing.
"""
