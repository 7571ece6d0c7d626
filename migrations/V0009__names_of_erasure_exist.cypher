// mode: data
// Names that queries use before anything has them; unknown names make the server warn.

CALL db.createProperty('erased_at');
CALL db.createRelationshipType('WITHOUT');
CALL db.createProperty('key_id');
CALL db.createProperty('progress');
CALL db.createProperty('counts');
CALL db.createProperty('devices');
CALL db.createProperty('retrain_by');
CALL db.createProperty('by');
CALL db.createProperty('erasures');
CALL db.createProperty('champion');
CALL db.createProperty('vectors_seq');
