"""What is true at and near the weights in a file."""
