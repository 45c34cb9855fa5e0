"""Delete the rules that the role `network` has added to OUTPUT. Their comment tells them. No name service is needed."""

import shlex
import subprocess
import sys

rules = subprocess.run(["iptables", "-w", "-S", "OUTPUT"], stdout=subprocess.PIPE, check=True).stdout.decode()
for rule in map(shlex.split, rules.splitlines()):
    if rule[0] == "-A" and sys.argv[1] in rule:
        subprocess.run(["iptables", "-w", "-D", *rule[1:]], check=True)
