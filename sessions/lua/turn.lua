-- turn: add what was said to the conversation, so that another agent could go on with it.
-- KEYS store, session
-- ARGV {id, epoch, turn, role, text}; `turn` names it, to be told from a repeated call.
--   Kept as "ms since the session was created, role, text"
-- Returns {id, changed, status, epoch}; changed is false for the turn that came last.
-- Errors: NOSESSION, OVER <status>, FENCED <epoch>, UNCLAIMED <status>.
local s, failure = live(true)
if failure then return failure end
local turn = s.epoch .. ":" .. ask.turn
if redis.call("HGET", s.key, "turn") == turn then return about(s, false) end

local name = key("conversation:" .. s.id)
redis.call("RPUSH", name, math.max(0, now - s.created) .. " " .. ask.role .. " " .. ask.text)
redis.call("LTRIM", name, -limits.turnsKept, -1)
redis.call("HSET", s.key, "turn", turn)
redis.call("EXPIRE", name, limits.liveTtlS)
return about(s, true)
