-- renew: an agent's heartbeat; its lease lasts a little longer, and it says how it is.
-- KEYS store, session   ARGV {id, epoch, fields?: [name, value …]}
-- Returns {id, changed, status, epoch}.
-- Errors: NOSESSION, OVER <status>, FENCED <epoch>, UNCLAIMED <status>.
local s, failure = live(true)
if failure then return failure end
hold_slot_until(s, now + limits.agentLeaseMs)
redis.call("ZREM", key("suspects"), s.id)
if s.user then redis.call("EXPIRE", key("user:" .. s.user), limits.liveTtlS) end
if ask.fields then redis.call("HSET", s.key, unpack(ask.fields)) end
return about(s, true)
