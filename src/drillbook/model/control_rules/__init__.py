"""The rules of controls: what they take away, how long they wait, and how they are judged."""
