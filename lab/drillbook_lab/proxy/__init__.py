"""The fault proxy: it carries every path between two parts of the lab, puts faults on it and shows that they are gone.

It speaks toxiproxy's HTTP API, with the same names. `drillbook_lab.proxy.http` says what differs.
"""
