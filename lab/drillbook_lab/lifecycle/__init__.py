"""Bringing the lab up and taking it down. After `down` no process of the lab is left, whatever happened before."""
