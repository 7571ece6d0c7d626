"""The graph floor: every Cypher query, the driver, the migrations runner, the local server."""
