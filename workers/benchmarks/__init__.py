"""Speed and memory of this machine, measured in the very run that prints them."""
