-- claim: an agent process takes a session it was sent for.
-- KEYS as in include/session.lua
-- ARGV[4] epoch   ARGV[5] worker id   ARGV[6] process id   ARGV[7] job id
-- ARGV[8] 1 if the process was warm, else 0   ARGV[9] lease in ms
-- Returns {1, status, epoch}; {0, …} when the same job had claimed it before.
-- Errors: NOSESSION, OVER <status>, FENCED <epoch>, BUSY <job id>.
local status, failure = fenced_status(ARGV[4])
if failure then return failure end
local holder = redis.call("HGET", KEYS[1], "jobId")
if holder and holder ~= ARGV[7] then return redis.error_reply("BUSY " .. holder) end

local now = now_ms()
redis.call("HSET", KEYS[1], "workerId", ARGV[5], "agentPid", ARGV[6], "jobId", ARGV[7],
  "prewarmed", ARGV[8])
redis.call("HSETNX", KEYS[1], "claimedAt", now)
hold_slot_until(now + tonumber(ARGV[9]), status)
return reply(not holder, status)
