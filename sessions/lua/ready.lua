-- ready: the agent's audio track is published; with the user there already, the session is active.
-- KEYS as in include/session.lua, and KEYS[6] list of start latencies
-- ARGV[4] epoch   ARGV[5] how many latencies to keep
-- Returns {1, status, epoch}; {0, …} when it was ready before.
-- Errors: NOSESSION, OVER <status>, FENCED <epoch>.
local status, failure = fenced_status(ARGV[4])
if failure then return failure end
if status ~= "starting" then return reply(false, status) end

local now = now_ms()
local startup_ms = now - tonumber(redis.call("HGET", KEYS[1], "createdAt"))
redis.call("HSET", KEYS[1], "readyAt", now, "startupMs", startup_ms)
redis.call("LPUSH", KEYS[6], startup_ms)
redis.call("LTRIM", KEYS[6], 0, tonumber(ARGV[5]) - 1)
redis.call("EXPIRE", KEYS[6], 86400)
local to = redis.call("HEXISTS", KEYS[1], "joinedAt") == 1 and "active" or "ready"
move(status, to)
return reply(true, to)
