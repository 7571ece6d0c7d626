"""Arrays in, arrays out: models, features, metrics."""
