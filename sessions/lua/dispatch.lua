-- dispatch: take over the duty to send an agent. One caller gets it; should it not act, or the
-- agent not come, the duty is due again.
-- KEYS store, session   ARGV {id}
-- Returns {id, changed, status, epoch}; changed is false when it is not due, or not needed.
-- Errors: NOSESSION, OVER <status>, WAITING.
local s, failure = holding()
if failure then return failure end
local due = redis.call("ZSCORE", key("dispatches"), s.id)
if not due or tonumber(due) > now then return about(s, false) end

failure = keep_slot_until(s, now + limits.startLeaseMs)
if failure then return failure end
redis.call("ZADD", key("dispatches"), now + claim_ms(), s.id)
redis.call("HSET", s.key, "dispatchedAt", now)
return about(s, true)
