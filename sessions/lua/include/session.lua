-- session.lua: what every verb shares. Prepended to each script by scripts.py.
-- KEYS[1] session hash   KEYS[2] slots   KEYS[3..5] sets of ids: starting, ready, active
-- ARGV[1] session id   ARGV[2] now in ms, or "" for the clock of Redis   ARGV[3] live TTL in s
local id, live_ttl_s = ARGV[1], tonumber(ARGV[3])
local set_of = { starting = KEYS[3], ready = KEYS[4], active = KEYS[5] }

local function now_ms()
  if ARGV[2] ~= "" then return tonumber(ARGV[2]) end
  local time = redis.call("TIME")
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Put the session into a state; `from` is the state it leaves, or nil for a new one.
local function move(from, to)
  redis.call("HSET", KEYS[1], "status", to)
  if from and set_of[from] then redis.call("SREM", set_of[from], id) end
  if set_of[to] then
    redis.call("SADD", set_of[to], id)
    redis.call("EXPIRE", set_of[to], live_ttl_s)
  end
end

-- Hold the slot until then; every key of the session lives on with it.
local function hold_slot_until(lapse_ms, status)
  redis.call("ZADD", KEYS[2], lapse_ms, id)
  for _, key in ipairs({ KEYS[1], KEYS[2], set_of[status] }) do
    redis.call("EXPIRE", key, live_ttl_s)
  end
end

-- What every verb returns: whether this call changed anything, the status now, the epoch.
local function reply(changed, status)
  return { changed and 1 or 0, status, tonumber(redis.call("HGET", KEYS[1], "epoch")) }
end

-- Return the status of a live session, or nil and an error reply.
local function live_status()
  local status = redis.call("HGET", KEYS[1], "status")
  if not status then return nil, redis.error_reply("NOSESSION " .. id) end
  if not set_of[status] then return nil, redis.error_reply("OVER " .. status) end
  return status
end

-- As live_status, for a writer that says under which epoch it was sent.
local function fenced_status(epoch)
  local status, failure = live_status()
  if failure then return nil, failure end
  local current = redis.call("HGET", KEYS[1], "epoch")
  if epoch ~= current then return nil, redis.error_reply("FENCED " .. current) end
  return status
end
