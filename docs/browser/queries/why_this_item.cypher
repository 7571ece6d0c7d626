// Why this item: the ways from a shopper to an item (set :param user_id and :param item_id)
MATCH way = (:User {user_id: $user_id})-[event]->(:Item)-[near:SIMILAR_TO]->(:Item {item_id: $item_id})
WHERE event.ts IS NOT NULL
RETURN way
ORDER BY near.score DESC, event.ts DESC
LIMIT 10
