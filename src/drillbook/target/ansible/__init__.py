"""Everything that starts Ansible: the only package that imports ansible-runner."""
