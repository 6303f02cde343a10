-- worker_renew: a worker's heartbeat. What it is to do comes back with the answer.
-- KEYS store
-- ARGV {id, active, idle, load, spawned, refillMs?, livekitId?, draining}; `spawned` counts all the
--   processes it ever started, so that a repeated call adds nothing
-- Returns {draining, surplus, poolTarget?, poolTuned?, rank, workers}: whether it shall drain, and
--   because there are too many; how many warm processes an admin wants the fleet to have, and its
--   traffic; its place among so many workers, from 0.
-- Errors: NOWORKER.
local name = key("worker:" .. ask.id)
local known = redis.call("HMGET", name, "spawned", "draining", "surplusAt")
if not known[1] or not redis.call("ZSCORE", key("workers"), ask.id) then
  return redis.error_reply("NOWORKER " .. ask.id)
end
local draining = (ask.draining or known[2] == "1") and 1 or 0
-- Who stops by itself cannot be brought back.
if ask.draining then redis.call("HDEL", name, "surplusAt") end
redis.call("HSET", name, "active", ask.active, "idle", ask.idle, "load", ask.load,
  "spawned", ask.spawned, "draining", draining, "seenAt", now)
if ask.refillMs then redis.call("HSET", name, "refillMs", ask.refillMs) end
if ask.livekitId then
  redis.call("HSET", name, "livekitId", ask.livekitId)
  redis.call("HSETNX", name, "takesSince", now)
end
redis.call("EXPIRE", name, limits.liveTtlS)
redis.call("ZADD", key("workers"), now + limits.workerLeaseMs, ask.id)
local new = math.max(ask.spawned - tonumber(known[1]), 0)
if new > 0 then redis.call("HINCRBY", key("pool:stats"), "total_spawned", new) end

local ids, rank = redis.call("ZRANGE", key("workers"), 0, -1), 0
for _, id in ipairs(ids) do
  if id < ask.id then rank = rank + 1 end
end
return answer({ draining = draining == 1, rank = rank, workers = #ids,
  surplus = not ask.draining and known[3] and true or false,
  poolTarget = tonumber(redis.call("GET", key("pool:target"))),
  poolTuned = tonumber(redis.call("HGET", key("pool:tuning"), "told")) })
