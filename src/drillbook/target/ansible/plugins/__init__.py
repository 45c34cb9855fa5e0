"""Plugins that Ansible loads by their folder: they run in its processes, and import nothing of Drillbook."""
