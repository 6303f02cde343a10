-- join: the user is in the room. A session whose agent is still to come stays in `starting`.
-- KEYS as in include/session.lua   ARGV[4] epoch of the agent that saw the user, or ""
-- Returns {1, "active", epoch}; {0, status, epoch} when the state stays as it is.
-- Errors: NOSESSION, OVER <status>, FENCED <epoch>.
local status, failure
if ARGV[4] == "" then status, failure = live_status() else status, failure = fenced_status(ARGV[4]) end
if failure then return failure end
redis.call("HSETNX", KEYS[1], "joinedAt", now_ms())
if status ~= "ready" then return reply(false, status) end
move("ready", "active")
return reply(true, "active")
