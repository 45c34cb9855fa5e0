"""The target as its owner describes it. Drillbook guesses nothing."""
