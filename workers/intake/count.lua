-- Adds to the counts of an hour; a flood of made-up names ends in one field.
--
-- KEYS  the hash of the hour   ARGV  1 seconds it is kept   2 amounts by field, as JSON
local MOST_FIELDS = 5000
for field, amount in pairs(cjson.decode(ARGV[2])) do
  if redis.call('HEXISTS', KEYS[1], field) == 0 and redis.call('HLEN', KEYS[1]) >= MOST_FIELDS then
    field = 'other'
  end
  redis.call('HINCRBY', KEYS[1], field, amount)
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
