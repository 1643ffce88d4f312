"""An export used from Python: find it, load it, tag files and waveforms."""
