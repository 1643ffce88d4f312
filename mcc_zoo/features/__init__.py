"""Waveform to log-mel chunks: parameters, framing, the graph, streaming and the cache."""
