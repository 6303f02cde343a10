-- store.lua: opens the store: names, version, clock. Comes before everything else.
-- KEYS[1] the store's own hash, {prefix}:store, then those of the sessions asked about. All other
--   keys are built from its prefix: which session a freed slot goes to is known only inside the
--   script. They share one hash slot.
-- ARGV[1] the time in ms in tests, else "", then a JSON object for each verb (see run.lua).
--   A limit is a constant that scripts.py writes in its place.
local prefix = string.sub(KEYS[1], 1, -#"store" - 1)
local ask, verbs = nil, {}

local function key(name) return prefix .. name end

local meta = redis.call("HMGET", KEYS[1], "schema", "pulse", "outage", "mercy", "meanHeld", "back",
  "claimMs", "term")
local term = tonumber(meta[8]) or 0
if meta[1] ~= limits.schema then
  if meta[1] or redis.call("EXISTS", key("slots")) == 1 then
    return redis.error_reply("SCHEMA " .. (meta[1] or "1"))
  end
  redis.call("HSET", KEYS[1], "schema", limits.schema)
end

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call("TIME")
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The moment by which leases are judged. When nobody could write for a while, neither could those
-- whose leases ran on: until a full lease has passed, they are judged as of when the gap began. A
-- gap within that time prolongs it, a few times; a clock that was set back ends it.
local pulse, mercy, as_of = tonumber(meta[2]) or 0, tonumber(meta[4]) or 0, now
local is_merciful = now < mercy and mercy - now <= limits.agentLeaseMs
if pulse > 0 and now - pulse > limits.gapMs then
  if not is_merciful then
    meta[3], meta[6] = pulse, now
    redis.call("HSET", KEYS[1], "outage", pulse, "back", now)
  end
  if now < meta[6] + limits.mostMercyMs then
    is_merciful = true
    redis.call("HSET", KEYS[1], "mercy", now + limits.agentLeaseMs)
  end
end
if is_merciful then as_of = math.min(now, tonumber(meta[3])) end
if now < pulse or now - pulse >= limits.pulseMs then redis.call("HSET", KEYS[1], "pulse", now) end

local function without(ids, id)
  local rest = {}
  for _, one in ipairs(ids) do
    if one ~= id then rest[#rest + 1] = one end
  end
  return rest
end

-- All answers are JSON objects; an empty list is left out, for Lua cannot tell it from an object.
local function answer(fields)
  for name, value in pairs(fields) do
    if type(value) == "table" and not next(value) then fields[name] = nil end
  end
  return cjson.encode(fields)
end
