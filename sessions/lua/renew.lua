-- renew: an agent's heartbeat; its lease lasts a little longer, and it says how it is.
-- KEYS store, session   ARGV {id, epoch, fields?: [name, value …]}
-- Returns {id, changed, status, epoch}.
-- Errors: NOSESSION, OVER <status>, FENCED <epoch>, UNCLAIMED <status>.
local s, failure = live(true)
if failure then return failure end
failure = keep_slot_until(s, now + limits.agentLeaseMs)
if failure then return failure end
keep_listed(s)
if ask.fields then redis.call("HSET", s.key, unpack(ask.fields)) end
return about(s, true)
