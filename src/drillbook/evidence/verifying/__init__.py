"""Verifies sealed evidence without trusting its makers: offline, with the reader's own trust file.

The rule: it believes no part of a document before it has verified the signature. It follows no link. It reports all
that is wrong, and not only the first problem.
"""
