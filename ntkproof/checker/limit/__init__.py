"""The kernel of infinite width on the data, and what is proved of its matrix."""
