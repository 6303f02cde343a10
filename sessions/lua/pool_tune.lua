-- pool_tune: note how many warm processes the fleet's traffic asks for, and why.
-- KEYS store
-- ARGV {fields: name, value, …; ttlS}; `size` among them is what the workers share out
-- Returns {changed}: whether that is another number than before.
-- Errors: none.
local name = key("pool:tuning")
local before = redis.call("HGET", name, "size")
redis.call("DEL", name)
redis.call("HSET", name, unpack(ask.fields))
redis.call("EXPIRE", name, ask.ttlS)
return answer({ changed = before ~= redis.call("HGET", name, "size") })
