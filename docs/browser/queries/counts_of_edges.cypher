// Counts: how many edges of each type
CALL db.relationshipTypes() YIELD relationshipType AS type
CALL (type) { MATCH ()-[edge:$(type)]->() RETURN count(edge) AS edges }
RETURN type, edges
ORDER BY edges DESC
