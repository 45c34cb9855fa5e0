"""What a drill would do: each step runs against a stand-in that writes down the step's calls."""
