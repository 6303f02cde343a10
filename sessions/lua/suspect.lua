-- suspect: note whose lease has lapsed; tell who was noted in an earlier pass, and still is silent.
-- KEYS store   ARGV {limit}
-- Returns {confirmed?: [id …]}, those that lapsed longest ago first.
-- Errors: none.
local confirmed = {}
local lapsed = redis.call("ZRANGE", key("slots"), "-inf", as_of, "BYSCORE", "LIMIT", 0, ask.limit)
for _, id in ipairs(lapsed) do
  if redis.call("EXISTS", session_key(id)) == 0 then
    sweep(id)
  else
    redis.call("ZADD", key("suspects"), "NX", now, id)
    local since = tonumber(redis.call("ZSCORE", key("suspects"), id))
    if since <= as_of - limits.suspicionMs then confirmed[#confirmed + 1] = id end
  end
end
return answer({ confirmed = confirmed })
