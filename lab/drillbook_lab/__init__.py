"""The reference staging of Drillbook: real parts, from wheels alone, on loopback only, in a few seconds.

The rule of this package: whatever a drill may break is a process of its own (supervisor starts and stops it), every
path between two of them is a link of the fault proxy, and `lab.json` is all that anybody outside needs to know.
Nothing is imported here: each of these processes starts with what it uses, and drills start them by the dozen.
"""
