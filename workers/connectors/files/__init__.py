"""Files of public data sets and of our own event schema."""
