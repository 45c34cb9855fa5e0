"""Plays on an Ansible that is already imported: a server that forks, a shim that ansible-runner starts, and a client.

The rule: a warm run gives what a cold run gives. If that is not certain, the run is cold. Ansible reads some things
only while it is imported. If one of them has changed since the server imported Ansible, the shim becomes the real
ansible-playbook.

pytest ── Warm (client) ─────────── starts, ends, and says why a run was cold
      │            └─ Early (early/answer.py) <── the inventory ── fork (early/inventory.py)
      │                                              │
      └─ ansible-runner ── shim ── its terminal ──> server ── fork ──> play (play.py)
                             ^ exit status ───────────┤                  │
                                                      │                 shim, for each module on this machine
                                                      │                  │
                                                     server of modules ── fork ──> module (module.py)

Only for Linux: the server sees the end of pytest through a pidfd, and looks at processes through /proc.
"""
