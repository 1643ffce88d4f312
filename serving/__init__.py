"""TF Serving's configuration for exports of mcc_zoo, and clients: read serving/README.md."""
