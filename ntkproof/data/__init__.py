"""What comes in: tables, named sets, weights, runs of training, symbolic activations.  Untrusted."""
