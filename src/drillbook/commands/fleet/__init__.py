"""`drillbook drills`: every drill of the repository with its controls, on labs side by side or on a staging; one table.

The rule: nothing passes by silence. A scenario that no lab took, a child that ended without telling how, a control that
was not run: each stands in the table, and the exit status is not 0.
"""
