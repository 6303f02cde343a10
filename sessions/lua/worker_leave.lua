-- worker_leave: a worker has stopped in good order, or its lease has lapsed.
-- KEYS store
-- ARGV {id?, limit}; without an id all whose lease has lapsed
-- Returns {gone?: [id …]}. What was known of them is kept as long as an ended session.
-- Errors: none.
local gone, ids = {}, { ask.id }
if not ask.id then
  ids = redis.call("ZRANGE", key("workers"), "-inf", as_of, "BYSCORE", "LIMIT", 0, ask.limit)
end
for _, id in ipairs(ids) do
  redis.call("ZREM", key("takers"), id)
  if redis.call("ZREM", key("workers"), id) == 1 then
    gone[#gone + 1] = id
    redis.call("HSET", key("worker:" .. id), "goneAt", now)
    redis.call("EXPIRE", key("worker:" .. id), limits.historyTtlS)
  end
end
return answer({ gone = gone })
