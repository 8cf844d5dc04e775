"""What a certificate is about: data or the sphere, the network, its training, its weights."""
