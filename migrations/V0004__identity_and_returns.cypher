// mode: schema
// Logins and returned orders are facts of their own; answers are looked up by the list that was shown.

CREATE CONSTRAINT identified_event IF NOT EXISTS FOR ()-[r:IDENTIFIED]-() REQUIRE r.event_id IS UNIQUE;
CREATE INDEX identified_seq IF NOT EXISTS FOR ()-[r:IDENTIFIED]-() ON (r.seq);
CREATE CONSTRAINT returned_event IF NOT EXISTS FOR ()-[r:RETURNED]-() REQUIRE r.event_id IS UNIQUE;
CREATE INDEX returned_seq IF NOT EXISTS FOR ()-[r:RETURNED]-() ON (r.seq);
CREATE CONSTRAINT order_id IF NOT EXISTS FOR (o:Order) REQUIRE o.order_id IS UNIQUE;
CREATE INDEX refunded_order IF NOT EXISTS FOR ()-[r:REFUNDED]-() ON (r.order_id);

// Click-through of an answer.
CREATE INDEX impression_recommendation IF NOT EXISTS FOR (n:Impression) ON (n.recommendation_id);
CREATE INDEX impression_ts IF NOT EXISTS FOR (n:Impression) ON (n.ts);
CREATE INDEX clicked_recommendation IF NOT EXISTS FOR ()-[r:CLICKED]-() ON (r.recommendation_id);

// Few people are in these: who denied something, and who is no shopper.
CREATE INDEX user_consent_collection IF NOT EXISTS FOR (u:User) ON (u.consent_collection);
CREATE INDEX user_consent_personalisation IF NOT EXISTS FOR (u:User) ON (u.consent_personalisation);
CREATE INDEX user_consent_marketing IF NOT EXISTS FOR (u:User) ON (u.consent_marketing);
CREATE INDEX user_is_bot IF NOT EXISTS FOR (u:User) ON (u.is_bot);
CREATE INDEX user_is_staff IF NOT EXISTS FOR (u:User) ON (u.is_staff);
