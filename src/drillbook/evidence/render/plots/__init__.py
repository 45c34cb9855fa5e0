"""The pictures of a drill as SVG: pure functions of the record, its samples and its attempts; one module a picture.

matplotlib draws. Its import takes half a second of CPU, so a module that may not need a picture imports this package
late.
"""
