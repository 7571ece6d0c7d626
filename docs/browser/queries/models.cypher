// Models: which one answers, and the runs that made them
MATCH (model:Model)
RETURN model.version AS version, model.status AS status, model.slot AS slot,
       datetime({epochMillis: model.created_at}) AS made
ORDER BY made DESC
LIMIT 20
