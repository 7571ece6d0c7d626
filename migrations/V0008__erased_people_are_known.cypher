// mode: schema
// Whom nothing may be stored of any more, what was erased, and who took data out or away.

CREATE CONSTRAINT tombstone_user IF NOT EXISTS FOR (t:Tombstone) REQUIRE t.user_id IS UNIQUE;
CREATE INDEX tombstone_receipt IF NOT EXISTS FOR (t:Tombstone) ON (t.receipt_id);
CREATE INDEX tombstone_generation IF NOT EXISTS FOR (t:Tombstone) ON (t.generation);
CREATE CONSTRAINT key_ring_name IF NOT EXISTS FOR (k:KeyRing) REQUIRE k.name IS UNIQUE;
CREATE CONSTRAINT erasure_receipt IF NOT EXISTS FOR (e:Erasure) REQUIRE e.receipt_id IS UNIQUE;
CREATE INDEX erasure_state IF NOT EXISTS FOR (e:Erasure) ON (e.state);
CREATE INDEX audit_at IF NOT EXISTS FOR (a:Audit) ON (a.at);
CREATE INDEX audit_about IF NOT EXISTS FOR (a:Audit) ON (a.about);
