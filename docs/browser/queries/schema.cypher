// Schema: kinds of nodes and how they hang together
CALL db.schema.visualization()
