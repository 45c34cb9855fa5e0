"""The reference staging of Drillbook: real parts, from wheels alone, on loopback only, in a few seconds.

The rule of this package: whatever a drill may break is a process of its own, which supervisor starts and stops. Every
path between two of these processes is a link of the fault proxy. Anybody outside needs to read only `lab.json`.

This module imports nothing. Each process imports only what it uses, because drills start these processes by the dozen.
"""
