-- finish: end or fail a session, free its slot or its place, and admit who waits.
-- KEYS store, session
-- ARGV {id, epoch?, outcome: ended or failed, error?, reason?, onlyIfLapsed?, isUndone?}; `error`
--   is why it failed, `reason` why it ended
-- Returns {id, changed, status, epoch, admitted?}; changed is false when it was over before, or its
--   lease holds. The status is `ending` until the room is known to be closed.
-- Errors: NOSESSION, FENCED <epoch>.
local s = load(ask.id)
if s.status == "ending" or TERMINAL[s.status] then return about(s, false) end
local _, failure = live(false, s)
if failure then return failure end
if ask.onlyIfLapsed then
  local lapse = tonumber(redis.call("ZSCORE", key("slots"), s.id) or now)
  if s.status == "queued" or lapse > as_of then return about(s, false) end
end

if ask.isUndone then forget_request(s) end
release(s, ask.outcome, ask.outcome == "failed" and ask.error or ask.reason)
return about(s, true, { admitted = (admit_waiting()) })
