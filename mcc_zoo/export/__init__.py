"""A model to a verified, versioned folder that TF Serving serves and Keras loads."""
