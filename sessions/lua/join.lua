-- join: the user is in the room. A session whose agent is still to come stays in `starting`.
-- KEYS as in include/session.lua
-- Returns {1, "active", epoch}; {0, status, epoch} when the state stays as it is.
-- Errors: NOSESSION, OVER <status>.
local status, failure = live_status()
if failure then return failure end
redis.call("HSETNX", KEYS[1], "joinedAt", now_ms())
if status ~= "ready" then return reply(false, status) end
move("ready", "active")
return reply(true, "active")
