"""`drillbook drills`: every drill of the repository with its controls, on labs side by side or on a staging; one table.

The rule: nothing passes by silence. When no lab took a scenario, when a child ended and did not say how, or when a
control was not run, the table says so, and the exit status is not 0.
"""
