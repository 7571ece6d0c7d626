"""People and items that are new: what to show before there is a history."""
