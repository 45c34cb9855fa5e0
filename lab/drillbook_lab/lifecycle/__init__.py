"""What brings the lab up and takes it down: after `down` no process of the lab is left, whatever came before."""
