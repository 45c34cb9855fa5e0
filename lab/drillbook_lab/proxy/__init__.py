"""The fault proxy: every path between two parts of the lab, with faults that can be put on it and proven gone.

Speaks toxiproxy's HTTP API by its names; what differs is said in `drillbook_lab.proxy.http`.
"""
