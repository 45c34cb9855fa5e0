"""What is proven: which scenario, by which drill, when, and with which files (are they those of the working tree?).

The rule: missing knowledge never makes a scenario fresh. A scenario is not fresh when it has no proof, when a file
cannot be read, or when the proof was made with other files than those that are here.
"""
