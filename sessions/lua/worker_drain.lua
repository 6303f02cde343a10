-- worker_drain: ask a worker to take no more sessions, or to take some again. It learns of it with
-- its next heartbeat.
-- KEYS store   ARGV {id, draining}
-- Returns {changed}.
-- Errors: NOWORKER.
local name, wanted = key("worker:" .. ask.id), ask.draining and "1" or "0"
local known = redis.call("HGET", name, "draining")
if not known or not redis.call("ZSCORE", key("workers"), ask.id) then
  return redis.error_reply("NOWORKER " .. ask.id)
end
redis.call("HSET", name, "draining", wanted)
return answer({ changed = known ~= wanted })
