"""What a drill would do: each step runs against a stand-in that writes down what it is asked for."""
