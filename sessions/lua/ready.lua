-- ready: the agent can be heard; with the user there already, the session is active.
-- KEYS store, session   ARGV {id, epoch}
-- Returns {id, changed, status, epoch, start?}; changed is false when it was ready before. start is of
--   the first agent, in ms: {waited in line, admitted to sent, when it was sent, admitted to now}.
-- Errors: NOSESSION, OVER <status>, FENCED <epoch>, UNCLAIMED <status>.
local s, failure = live(true)
if failure then return failure end
if s.status == "ready" or s.status == "active" then return about(s, false) end

local start
if redis.call("HSETNX", s.key, "readyAt", now) == 1 then
  local sent = tonumber(redis.call("HGET", s.key, "dispatchedAt")) or now
  start = { s.admitted - s.created, sent - s.admitted, sent, now - s.admitted }
  redis.call("LPUSH", key("startups"), now - s.admitted)
  redis.call("LTRIM", key("startups"), 0, limits.startupsKept - 1)
  count_start(now - s.admitted)
end
move(s, s.joined and "active" or "ready")
return about(s, true, { start = start })
