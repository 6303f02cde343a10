-- worker_drain: ask a worker to take no more sessions, or to take some again. It learns of it with
-- its next heartbeat. Who orders because there are too many workers (`surplus`) drains only who
-- takes calls, after a pause, and takes back only its own order, unless somebody ordered since.
-- KEYS store   ARGV {id, draining, surplus?, pauseMs?}
-- Returns {changed}.
-- Errors: NOWORKER.
local name, wanted = key("worker:" .. ask.id), ask.draining and "1" or "0"
local known = redis.call("HMGET", name, "draining", "surplusAt")
if not known[1] or not redis.call("ZSCORE", key("workers"), ask.id) then
  return redis.error_reply("NOWORKER " .. ask.id)
end
if ask.surplus and ask.draining then
  local since = now - (tonumber(redis.call("HGET", KEYS[1], "surplusAt")) or -math.huge)
  -- A clock that was set back is no reason to wait for longer.
  local is_soon = since >= 0 and since < ask.pauseMs
  if known[1] == "1" or is_soon then return answer({ changed = false }) end
  redis.call("HSET", name, "draining", 1, "surplusAt", now)
  redis.call("HSET", KEYS[1], "surplusAt", now)
  redis.call("ZREM", key("takers"), ask.id)
  return answer({ changed = true })
end
if ask.surplus and not known[2] then return answer({ changed = false }) end
redis.call("HSET", name, "draining", wanted)
if ask.draining then redis.call("ZREM", key("takers"), ask.id) end
redis.call("HDEL", name, "surplusAt")
return answer({ changed = known[1] ~= wanted })
