// mode: schema
// Reports on the data, and the few edges that are set aside: told twice, or with a price that cannot be.

CREATE CONSTRAINT quality_report_id IF NOT EXISTS FOR (n:QualityReport) REQUIRE n.report_id IS UNIQUE;
CREATE INDEX quality_report_as_of IF NOT EXISTS FOR (n:QualityReport) ON (n.as_of_ms);
CREATE INDEX purchased_duplicate IF NOT EXISTS FOR ()-[r:PURCHASED]-() ON (r.duplicate_of);
CREATE INDEX purchased_outlier IF NOT EXISTS FOR ()-[r:PURCHASED]-() ON (r.outlier);
CREATE INDEX carted_outlier IF NOT EXISTS FOR ()-[r:CARTED]-() ON (r.outlier);
