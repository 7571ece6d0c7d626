// mode: schema
// While a graph is being put back there is one node that says so.

CREATE CONSTRAINT restore_id IF NOT EXISTS FOR (n:__ShopgraphRestore) REQUIRE n.id IS UNIQUE;
