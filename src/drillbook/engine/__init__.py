"""One drill from begin to end. This package knows no pytest and no rendering."""
