-- claim: an agent process takes the session it was sent for. Its lease begins.
-- KEYS store, session
-- ARGV {id, epoch, workerId, agentPid, jobId, prewarmed: 1 or 0}
-- Returns {id, changed, status, epoch}; changed is false when the same job had claimed it before.
-- Errors: NOSESSION, OVER <status>, WAITING, FENCED <epoch>, CLAIMED <job id>.
local s, failure = holding()
if failure then return failure end
if s.job and s.job ~= ask.jobId then return redis.error_reply("CLAIMED " .. s.job) end

failure = keep_slot_until(s, now + limits.agentLeaseMs)
if failure then return failure end
if s.job then return about(s, false) end
redis.call("HSET", s.key, "workerId", ask.workerId, "agentPid", ask.agentPid, "jobId", ask.jobId,
  "prewarmed", ask.prewarmed, "claimedAt", now)
redis.call("ZREM", key("dispatches"), s.id)
local counter = ask.prewarmed == 1 and "total_assigned" or "total_cold"
learn_claim(s, redis.call("HINCRBY", key("pool:stats"), counter, 1))
return about(s, true)
