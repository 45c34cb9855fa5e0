"""The lab as a Compose project: a container for each program, in a Docker engine of the lab's own."""
