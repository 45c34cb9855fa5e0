"""`python -m drillbook_lab.compose.ready CONTRACT`: in the containers' network, waits until a webhook went through."""

from drillbook_lab.hosts.ready import Parts, main

if __name__ == "__main__":
    main(Parts)
