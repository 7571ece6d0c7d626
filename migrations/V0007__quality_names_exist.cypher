// mode: data
// Names that queries use before anything has them.

CALL db.createLabel('QualityReport');
CALL db.createProperty('report_id');
CALL db.createProperty('as_of_ms');
CALL db.createProperty('begin_ms');
CALL db.createProperty('body');
CALL db.createProperty('duplicate_of');
CALL db.createProperty('disagrees_on');
CALL db.createProperty('outlier');
CALL db.createProperty('dwell_told');
CALL db.createProperty('dwell_sum_ms');
CALL db.createProperty('dwell_untold');
CALL db.createProperty('names');
