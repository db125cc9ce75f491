"""EDIFACT and X12: segments, envelopes and the groups of messages. The manual is ``docs/edi.md``."""
