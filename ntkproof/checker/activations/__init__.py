"""One activation σ: names, expressions, enclosures, bounds, Gaussian expectations, tables."""
