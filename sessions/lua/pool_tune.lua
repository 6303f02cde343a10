-- pool_tune: note how many warm processes the fleet's traffic asks for, and why.
-- KEYS store
-- ARGV {fields: name, value, …; ttlS}; `told` among them is what the workers share out
-- Returns {changed}: whether the workers are told another number than before.
-- Errors: none.
local name = key("pool:tuning")
local before = redis.call("HGET", name, "told")
redis.call("DEL", name)
redis.call("HSET", name, unpack(ask.fields))
redis.call("EXPIRE", name, ask.ttlS)
return answer({ changed = before ~= redis.call("HGET", name, "told") })
