"""From what holds at the start to decay of the loss."""
