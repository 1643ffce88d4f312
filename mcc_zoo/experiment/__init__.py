"""Folds x seeds x systems: settings, corpus, folds, the run's folder and its report."""
