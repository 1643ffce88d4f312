"""One model trained on one split."""
