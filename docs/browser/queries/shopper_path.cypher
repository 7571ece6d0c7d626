// One shopper: the newest 25 steps in order of time (set :param user_id => 'c_...' or take the busiest of a sample)
MATCH (candidate:User)
WHERE $user_id IS NULL OR candidate.user_id = $user_id
WITH candidate LIMIT 50
ORDER BY COUNT { (candidate)-->(:Item) } DESC LIMIT 1
MATCH step = (candidate)-[event]->(item:Item)
WHERE event.ts IS NOT NULL
RETURN step
ORDER BY event.ts DESC, event.seq DESC
LIMIT 25
