-- log: add lines to a session's log, which keeps the last ones.
-- KEYS store, session
-- ARGV {id, epoch?, batch, lines: [[age in ms, level, text] …]}; ages, since only the
--   clock of Redis counts. Kept as "ms since the session was created, level, text"
-- Returns {id, changed, status, epoch}; changed is false for an empty batch, and for the one that came last.
-- Errors: NOSESSION, FENCED <epoch>, OVER forgotten.
local s = load(ask.id)
if not s.status then return redis.error_reply("NOSESSION " .. s.id) end
local known = redis.call("HGET", s.key, "logBatch")
if s.forgotten then return redis.error_reply("OVER forgotten") end
if ask.epoch and ask.epoch ~= s.epoch then return redis.error_reply("FENCED " .. s.epoch) end
if known == ask.batch or #ask.lines == 0 then return about(s, false) end

local name, lines = key("agent:" .. s.id .. ":logs"), {}
for place, line in ipairs(ask.lines) do
  local at = math.max(0, now - s.created - line[1])
  lines[place] = at .. " " .. line[2] .. " " .. line[3]
end
redis.call("RPUSH", name, unpack(lines))
redis.call("LTRIM", name, -limits.logLinesKept, -1)
redis.call("HSET", s.key, "logBatch", ask.batch)
redis.call("PEXPIRE", name, redis.call("PTTL", s.key))
return about(s, true)
