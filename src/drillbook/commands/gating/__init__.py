"""`drillbook gate`, and `--stale` of `drillbook prove` and `drillbook drills`: which scenarios are not proven.

The rule: pytest's own collection says which scenarios there are, and the proofs say which of them are proven. A
scenario that you asked for and that does not exist is an error: a gate that looked at nothing has not passed.
"""
