"""Plugins that Ansible loads by their folder. They run in Ansible's processes, and import nothing of Drillbook."""
