"""Many files: inputs become paths, paths become rows, and rows become tables that a kill does not lose."""
