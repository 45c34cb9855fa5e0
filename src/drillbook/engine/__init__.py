"""One drill from begin to end: this package knows no pytest and no rendering."""
