"""What statements about training rest on besides the arithmetic, in words.

Trusted.
"""

from __future__ import annotations

GAUSSIAN = "the hidden weights are independent standard normal at initialisation"
DIFFERENTIAL_INCLUSION = "gradient flow is any absolutely continuous solution of the differential inclusion"
SELECTION = "where a preactivation is 0, gradient descent may take any number between the slopes of σ for σ'"
