-- worker_renew: a worker's heartbeat. What it is to do comes back with the answer.
-- KEYS store
-- ARGV {id, active, idle, target, load, spawned, refillMs?, livekitId?, draining}; `spawned` counts
--   all the processes it ever started, so that a repeated call adds nothing
-- Returns {draining, surplus, poolTarget?, poolTuned?, rank?, workers}: whether it shall drain, and
--   because there are too many; how many warm processes an admin wants the fleet to have, and its
--   traffic; its place, from 0, among so many workers that take calls; none where it drains.
-- Errors: NOWORKER.
local name = key("worker:" .. ask.id)
local known = redis.call("HMGET", name, "spawned", "draining", "surplusAt")
if not known[1] or not redis.call("ZSCORE", key("workers"), ask.id) then
  return redis.error_reply("NOWORKER " .. ask.id)
end
local draining = (ask.draining or known[2] == "1") and 1 or 0
-- Who stops by itself cannot be brought back.
if ask.draining then redis.call("HDEL", name, "surplusAt") end
redis.call("HSET", name, "active", ask.active, "idle", ask.idle, "target", ask.target,
  "load", ask.load, "spawned", ask.spawned, "draining", draining, "seenAt", now)
if ask.refillMs then redis.call("HSET", name, "refillMs", ask.refillMs) end
if ask.livekitId then
  redis.call("HSET", name, "livekitId", ask.livekitId)
  redis.call("HSETNX", name, "takesSince", now)
end
redis.call("EXPIRE", name, limits.liveTtlS)
redis.call("ZADD", key("workers"), now + limits.workerLeaseMs, ask.id)
local new = math.max(ask.spawned - tonumber(known[1]), 0)
if new > 0 then redis.call("HINCRBY", key("pool:stats"), "total_spawned", new) end

-- All have the same score, so that their ranks are those of their ids.
if draining == 1 then redis.call("ZREM", key("takers"), ask.id)
else redis.call("ZADD", key("takers"), 0, ask.id) end
return answer({ draining = draining == 1,
  rank = redis.call("ZRANK", key("takers"), ask.id) or nil,
  workers = redis.call("ZCARD", key("takers")),
  surplus = not ask.draining and known[3] and true or false,
  poolTarget = tonumber(redis.call("GET", key("pool:target"))),
  poolTuned = tonumber(redis.call("HGET", key("pool:tuning"), "size")) })
