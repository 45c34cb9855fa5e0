"""The JSON Schema (2020-12) of drill.json, for other people's programs. The file is part of the wheel.

The rule: it describes what evidence/reader.py reads. A test generates it again from the same types.
"""
