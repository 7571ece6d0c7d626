// mode: data
// Names that queries use before anything has them, and the logins that were stored as SAME_AS alone.

CALL db.createProperty('device_ts');
CALL db.createProperty('content');
CALL db.createProperty('consent_collection_at');
CALL db.createProperty('consent_collection_source');
CALL db.createProperty('consent_personalisation_at');
CALL db.createProperty('consent_personalisation_source');
CALL db.createProperty('consent_marketing_at');
CALL db.createProperty('consent_marketing_source');
MATCH (visitor:User)-[same:SAME_AS]->(customer:User)
WHERE NOT EXISTS { (visitor)-[:IDENTIFIED]->(customer) }
CREATE (visitor)-[said:IDENTIFIED]->(customer)
SET said = properties(same);
MATCH (:User)-[same:SAME_AS]->(:User)
SET same = {event_id: same.event_id, since: coalesce(same.since, same.ts)};
MATCH (u:User) WHERE u.consent_at IS NOT NULL
SET u.consent_collection_at = CASE WHEN u.consent_collection IS NULL THEN NULL ELSE u.consent_at END,
    u.consent_personalisation_at =
        CASE WHEN u.consent_personalisation IS NULL THEN NULL ELSE u.consent_at END,
    u.consent_marketing_at = CASE WHEN u.consent_marketing IS NULL THEN NULL ELSE u.consent_at END;
