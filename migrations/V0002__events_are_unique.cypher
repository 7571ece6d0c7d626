// mode: schema
// An event is stored once, and is found again by its place in the order of storing.

CREATE CONSTRAINT clicked_event IF NOT EXISTS FOR ()-[r:CLICKED]-() REQUIRE r.event_id IS UNIQUE;
CREATE INDEX clicked_seq IF NOT EXISTS FOR ()-[r:CLICKED]-() ON (r.seq);
CREATE CONSTRAINT viewed_event IF NOT EXISTS FOR ()-[r:VIEWED]-() REQUIRE r.event_id IS UNIQUE;
CREATE INDEX viewed_seq IF NOT EXISTS FOR ()-[r:VIEWED]-() ON (r.seq);
CREATE CONSTRAINT carted_event IF NOT EXISTS FOR ()-[r:CARTED]-() REQUIRE r.event_id IS UNIQUE;
CREATE INDEX carted_seq IF NOT EXISTS FOR ()-[r:CARTED]-() ON (r.seq);
CREATE CONSTRAINT uncarted_event IF NOT EXISTS FOR ()-[r:UNCARTED]-() REQUIRE r.event_id IS UNIQUE;
CREATE INDEX uncarted_seq IF NOT EXISTS FOR ()-[r:UNCARTED]-() ON (r.seq);
CREATE CONSTRAINT favorited_event IF NOT EXISTS FOR ()-[r:FAVORITED]-() REQUIRE r.event_id IS UNIQUE;
CREATE INDEX favorited_seq IF NOT EXISTS FOR ()-[r:FAVORITED]-() ON (r.seq);
CREATE CONSTRAINT unfavorited_event IF NOT EXISTS FOR ()-[r:UNFAVORITED]-() REQUIRE r.event_id IS UNIQUE;
CREATE INDEX unfavorited_seq IF NOT EXISTS FOR ()-[r:UNFAVORITED]-() ON (r.seq);
CREATE CONSTRAINT purchased_event IF NOT EXISTS FOR ()-[r:PURCHASED]-() REQUIRE r.event_id IS UNIQUE;
CREATE INDEX purchased_seq IF NOT EXISTS FOR ()-[r:PURCHASED]-() ON (r.seq);
CREATE CONSTRAINT refunded_event IF NOT EXISTS FOR ()-[r:REFUNDED]-() REQUIRE r.event_id IS UNIQUE;
CREATE INDEX refunded_seq IF NOT EXISTS FOR ()-[r:REFUNDED]-() ON (r.seq);
CREATE CONSTRAINT reviewed_event IF NOT EXISTS FOR ()-[r:REVIEWED]-() REQUIRE r.event_id IS UNIQUE;
CREATE INDEX reviewed_seq IF NOT EXISTS FOR ()-[r:REVIEWED]-() ON (r.seq);
CREATE CONSTRAINT inquired_event IF NOT EXISTS FOR ()-[r:INQUIRED]-() REQUIRE r.event_id IS UNIQUE;
CREATE INDEX inquired_seq IF NOT EXISTS FOR ()-[r:INQUIRED]-() ON (r.seq);
CREATE CONSTRAINT shared_event IF NOT EXISTS FOR ()-[r:SHARED]-() REQUIRE r.event_id IS UNIQUE;
CREATE INDEX shared_seq IF NOT EXISTS FOR ()-[r:SHARED]-() ON (r.seq);
CREATE CONSTRAINT searched_event IF NOT EXISTS FOR ()-[r:SEARCHED]-() REQUIRE r.event_id IS UNIQUE;
CREATE INDEX searched_seq IF NOT EXISTS FOR ()-[r:SEARCHED]-() ON (r.seq);
CREATE CONSTRAINT saw_event IF NOT EXISTS FOR ()-[r:SAW]-() REQUIRE r.event_id IS UNIQUE;
CREATE INDEX saw_seq IF NOT EXISTS FOR ()-[r:SAW]-() ON (r.seq);
CREATE CONSTRAINT same_as_event IF NOT EXISTS FOR ()-[r:SAME_AS]-() REQUIRE r.event_id IS UNIQUE;
CREATE INDEX same_as_seq IF NOT EXISTS FOR ()-[r:SAME_AS]-() ON (r.seq);

// A refund of a whole order, and a line that comes again under another event id, name the order.
CREATE INDEX purchased_order IF NOT EXISTS FOR ()-[r:PURCHASED]-() ON (r.order_id);
