"""The words of the shop: what the API, the graph and the models all mean by them."""
