// Neighbours: items whose embeddings are nearest (set :param item_id)
MATCH near = (:Item {item_id: $item_id})-[:SIMILAR_TO]->(:Item)
RETURN near
