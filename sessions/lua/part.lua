-- part: an agent writes down its part of a session's record, in place of what it wrote before.
-- KEYS store, session
-- ARGV {id, epoch, part}; kept as "when the agent was sent for in ms or 0, the part"
-- Returns {id, changed, status, epoch}.
-- Errors: NOSESSION, FENCED <epoch>, OVER forgotten.
local s = load(ask.id)
if not s.status then return redis.error_reply("NOSESSION " .. s.id) end
if s.forgotten then return redis.error_reply("OVER forgotten") end
if ask.epoch ~= s.epoch then return redis.error_reply("FENCED " .. s.epoch) end

local name = key("record:" .. s.id)
local sent = redis.call("HGET", s.key, "dispatchedAt") or 0
redis.call("HSET", name, s.epoch, sent .. " " .. ask.part)
redis.call("HDEL", name, s.epoch - limits.partsKept)
redis.call("PEXPIRE", name, redis.call("PTTL", s.key))
return about(s, true)
