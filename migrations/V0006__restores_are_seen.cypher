// mode: schema
// While a graph is being put back there is one node that says so.

CREATE CONSTRAINT restore_id IF NOT EXISTS FOR (n:__ShopgraphRestore) REQUIRE n.id IS UNIQUE;

// Who was erased stays known, so that an older state of the graph brings nobody back.
CREATE CONSTRAINT tombstone_user IF NOT EXISTS FOR (n:Tombstone) REQUIRE n.user_id IS UNIQUE;
