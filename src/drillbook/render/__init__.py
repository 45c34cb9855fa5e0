"""Renderings of the record: each is a pure function of what content/ holds, and none of them decides anything."""
