-- lose: write off the agent sent last. Another is due under the next epoch, so that the lost one can
-- do nothing any more should it come back: at once, after the next loss a little later, and so on.
-- After too many, or with its slot gone, the session fails.
-- KEYS store, session
-- ARGV {id, epoch?, reason, cause, isCertain, isPlanned, delayMs}; unless it is certain, a claimed session
--   must have been a suspect for a while, and one that nobody claimed must be overdue. A planned loss
--   is nobody's failure: it does not count, and may come after too many that do
-- Returns {id, changed, status, epoch, losses?, admitted?}; changed is false when it is not lost.
-- Errors: NOSESSION, OVER <status>, WAITING, FENCED <epoch>.
local s, failure = holding()
if failure then return failure end
local known = redis.call("HMGET", s.key, "losses", "dispatchedAt")

local function is_lost()
  if ask.isCertain then return true end
  if not s.job then
    local due = tonumber(redis.call("ZSCORE", key("dispatches"), s.id) or 0)
    return known[2] and due <= as_of
  end
  local lapse = tonumber(redis.call("ZSCORE", key("slots"), s.id) or 0)
  local since = tonumber(redis.call("ZSCORE", key("suspects"), s.id) or now)
  return lapse <= as_of and since <= as_of - limits.suspicionMs
end
if not is_lost() then return about(s, false) end
redis.call("HINCRBY", key("counts"), "lost:" .. ask.cause, 1)

local recent = {}
for at in string.gmatch(known[1] or "", "%d+") do
  if tonumber(at) > now - limits.redispatchWindowMs then recent[#recent + 1] = at end
end
if #recent >= limits.redispatchLimit and not ask.isPlanned or has_lost_slot(s) then
  release(s, "failed", ask.reason)
  return about(s, true,
    { losses = #recent + (ask.isPlanned and 0 or 1), admitted = (admit_waiting()) })
end
local pause = ask.delayMs
if not ask.isPlanned then
  recent[#recent + 1] = now
  -- The first is replaced at once. What breaks again and again is not to keep a fleet busy.
  if #recent > 1 then pause = math.max(pause, limits.backoffMs * 2 ^ (#recent - 2)) end
  -- Its participant may be in the room still.
  if s.job then redis.call("HSET", s.key, "ghost", s.job) end
end
redis.call("ZADD", key("ghosts"), now, s.id)
redis.call("HDEL", s.key, "workerId", "agentPid", "jobId", "prewarmed", "claimedAt", "dispatchedAt",
  "agentState", "pssBytes")
redis.call("ZADD", key("dispatches"), now + pause, s.id)
s.epoch = s.epoch + 1
move(s, s.status == "starting" and "starting" or "recovering", ask.reason,
  { "epoch", s.epoch, "losses", table.concat(recent, " ") })
hold_slot_until(s, now + limits.startLeaseMs)
return about(s, true, { losses = #recent })
