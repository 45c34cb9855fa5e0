"""The command line of each command of `drillbook`: options in, one call, an exit status out.

The rule: a module here is imported only when its command is called, so that it imports at its top what it needs.
"""
