"""Chunk scores to track scores, metrics and tests of significance, with numpy and pandas alone."""
