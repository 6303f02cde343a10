-- worker_register: a worker says that it is there, at its start and whenever it was forgotten.
-- KEYS store
-- ARGV {id, capacity, host, version, spawned, livekitId?}; `spawned`: what was counted of it before
-- Returns {changed}: false when it was there before.
-- Errors: none.
local name = key("worker:" .. ask.id)
local is_new = redis.call("ZADD", key("workers"), now + limits.workerLeaseMs, ask.id)
redis.call("ZADD", key("takers"), 0, ask.id)
redis.call("DEL", name)
redis.call("HSET", name, "capacity", ask.capacity, "host", ask.host, "version", ask.version,
  "livekitId", ask.livekitId or "", "active", 0, "idle", 0, "target", 0,
  "draining", 0, "load", 0, "spawned", ask.spawned, "registeredAt", now, "seenAt", now)
if ask.livekitId then redis.call("HSET", name, "takesSince", now) end
redis.call("EXPIRE", name, limits.liveTtlS)
return answer({ changed = is_new == 1 })
