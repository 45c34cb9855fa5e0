"""Seals evidence: lists the files of a drill, signs the list, and chains it into the ledger of its environment.

The rule: the libraries that sign are imported when there is something to sign, and never in a session without a key.
The constants, the parsers and the verification of an envelope, which a reader needs too, are in this package alone.
"""
