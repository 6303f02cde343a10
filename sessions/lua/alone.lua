-- alone: no agent that was written off is in a session's room any more, unless another was since.
-- KEYS store, session   ARGV {id, since}
-- Returns {id, changed}.
-- Errors: none.
local since = tonumber(redis.call("ZSCORE", key("ghosts"), ask.id))
if since ~= ask.since then return answer({ id = ask.id, changed = false }) end
redis.call("ZREM", key("ghosts"), ask.id)
return answer({ id = ask.id, changed = true })
