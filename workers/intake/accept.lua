-- Takes one request: looks up what the door has to know, or else remembers and appends, in one
-- atomic step, so that no crash remembers what it lost.
--
-- KEYS  the stream, the size of what waits on it, and the counts of the hour
-- ARGV  1 most bytes that may wait   2 seconds that ids are remembered   3 the encoded events
--       4 'look', 'plain' (nothing but repeats is looked up) or 'again' (not even those)
--       5 ids of the rows, 12 bytes each   6 marks of their content, 8 bytes each
--       7 pseudonyms of their people, 24 bytes each   8 '1': the consent copy must be whole
--       9 clocks, quotas and paces as JSON   10 new denials as JSON
--       11 what is counted if it is stored, as JSON by field   12 seconds that counts are kept
-- Says  'ok', 'full', 'seen' and JSON (nothing was stored), or the marks that are known by row.

local CLOCK_WINDOW_MS = 3600000
local CLOCK_THRESHOLD_MS = 300000
local SPANS = {{'minute', 60000}, {'day', 86400000}}
local DENIED = 'shopgraph:denied:'

-- Updates a device's clock by one sample; says offset, last time of the old offset, and that.
local function look_at_clock(key, now, difference, newest)
  local said = redis.call(
    'HMGET', key, 'window', 'now', 'last', 'offset', 'newest', 'until', 'before')
  local held, current, last = tonumber(said[1]), tonumber(said[2]), tonumber(said[3])
  -- Two doors may differ by a moment: time never goes back over the edge of a window.
  local window = math.max(math.floor(now / CLOCK_WINDOW_MS), held or 0)
  if held == window then
    current = math.min(current, difference)
  elseif held == window - 1 then
    last, current = current, difference
  else
    last, current = nil, difference
  end
  local smallest = last and math.min(last, current) or current
  local offset, seen = tonumber(said[4]) or 0, tonumber(said[5])
  local upto, before = tonumber(said[6]), tonumber(said[7])
  if math.abs(smallest - offset) > CLOCK_THRESHOLD_MS then
    local better = math.abs(smallest) > CLOCK_THRESHOLD_MS and smallest or 0
    if better < offset and seen then
      upto, before = seen, offset
    else
      upto, before = nil, nil
    end
    offset = better
  end
  seen = seen and math.max(seen, newest) or newest
  local kept = {window = window, now = current, offset = offset, newest = seen, last = last,
                ['until'] = upto, before = before}
  local fields = {}
  for name, value in pairs(kept) do
    fields[#fields + 1] = name
    fields[#fields + 1] = string.format('%.0f', value)
  end
  redis.call('DEL', key)
  redis.call('HSET', key, unpack(fields))
  redis.call('PEXPIRE', key, 2 * CLOCK_WINDOW_MS)
  if offset ~= 0 or upto then return {offset, upto or false, before or 0} end
  return nil
end

-- Seconds until the key may send again; nil if it may send now, and then that is counted.
local function over_quota(facts)
  local spent_keys = {}
  for _, span in ipairs(SPANS) do
    local limit = facts[span[1]] or 0
    if limit > 0 then
      local window = math.floor(facts.now / span[2])
      local key = 'shopgraph:quota:' .. facts.name .. ':' .. span[1] .. ':' .. window
      local spent = tonumber(redis.call('GET', key) or '0')
      -- One request may always pass at the start of a window, however large it is.
      if spent > 0 and spent + facts.rows > limit then
        return math.ceil(((window + 1) * span[2] - facts.now) / 1000)
      end
      spent_keys[key] = 2 * span[2]
    end
  end
  for key, lasts in pairs(spent_keys) do
    redis.call('INCRBY', key, facts.rows)
    redis.call('PEXPIRE', key, lasts)
  end
  return nil
end

-- Devices that send faster than people do.
local function robots(facts)
  local found = {}
  local minute = math.floor(facts.now / 60000)
  for device, events in pairs(facts.paces or {}) do
    local key = 'shopgraph:pace:' .. device .. ':' .. minute
    local pace = redis.call('INCRBY', key, events)
    redis.call('PEXPIRE', key, 120000)
    if pace > facts.bot then found[#found + 1] = device end
  end
  return found
end

-- Who denied that anything is collected, and who was erased; the latter are in both sets.
local function barred_people()
  local denied, erased = {}, {}
  if redis.call('SCARD', DENIED .. 'collection') > 0 then
    for place = 1, #ARGV[7], 24 do
      local person = string.sub(ARGV[7], place, place + 23)
      if redis.call('SISMEMBER', DENIED .. 'collection', person) == 1 then
        local is_gone = redis.call('SISMEMBER', DENIED .. 'erased', person) == 1
        local list = is_gone and erased or denied
        list[#list + 1] = person
      end
    end
  end
  return denied, erased
end

-- What the door has to know, as JSON; nil if there is nothing.
local function look()
  if ARGV[8] == '1' and redis.call('EXISTS', DENIED .. 'loaded') == 0 then
    return '{"cold":true}'
  end
  -- First, and alone: not even a clock is kept of whoever denied.
  local denied, erased = barred_people()
  if #denied + #erased > 0 then return cjson.encode({denied = denied, erased = erased}) end
  if ARGV[9] == '' then return nil end
  local facts = cjson.decode(ARGV[9])
  local wait = over_quota(facts)
  if wait then return cjson.encode({quota = wait}) end
  local seen, any = {}, false
  for device, sample in pairs(facts.clocks or {}) do
    local clock = look_at_clock('shopgraph:clock:' .. device, facts.now, sample[1], sample[2])
    if clock then
      seen.clocks = seen.clocks or {}
      seen.clocks[device] = clock
      any = true
    end
  end
  local fast = robots(facts)
  if #fast > 0 then
    seen.robots = fast
    any = true
  end
  return any and cjson.encode(seen) or nil
end

local backlog = tonumber(redis.call('GET', KEYS[2]) or '0')
if backlog > tonumber(ARGV[1]) then return 'full' end
if ARGV[4] == 'look' then
  local seen = look()
  if seen then return 'seen' .. seen end
end
local keys = {}
for place = 1, #ARGV[5], 12 do
  keys[#keys + 1] = 'shopgraph:id:' .. string.sub(ARGV[5], place, place + 11)
end
if #keys == 0 then return 'ok' end
if ARGV[4] ~= 'again' then
  local known = redis.call('MGET', unpack(keys))
  for place = 1, #keys do
    if known[place] then return known end
  end
end
for place = 1, #keys do
  local mark = string.sub(ARGV[6], 8 * place - 7, 8 * place)
  redis.call('SET', keys[place], mark, 'EX', ARGV[2], 'NX')
end
redis.call('XADD', KEYS[1], '*', 'events', ARGV[3])
redis.call('INCRBY', KEYS[2], #ARGV[3])
for field, amount in pairs(cjson.decode(ARGV[11])) do
  -- Sources are whatever clients write: their number is bounded.
  local is_room = redis.call('HLEN', KEYS[3]) < 5000 or redis.call('HEXISTS', KEYS[3], field) == 1
  redis.call('HINCRBY', KEYS[3], is_room and field or 'other', amount)
end
redis.call('EXPIRE', KEYS[3], ARGV[12])
if ARGV[10] ~= '' then
  for _, said in ipairs(cjson.decode(ARGV[10])) do
    redis.call('SADD', DENIED .. said[1], said[2])
  end
end
return 'ok'
