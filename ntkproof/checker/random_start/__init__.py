"""What a random initialisation gives, with its failure probability."""
