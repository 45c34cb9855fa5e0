"""Finds evidence by row, tag, outcome or id, and copies it to and from a store.

The rule: this package reads and copies evidence, and never changes or deletes any of it. When it cannot read a folder,
it lists the folder and says why. Only `remote` uses fsspec, and it is imported only when somebody names a store.
"""
