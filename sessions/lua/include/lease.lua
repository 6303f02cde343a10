-- lease.lua: who may write to a session, and how long its slot is held. Needs session.lua.

-- Return a session that is not over, the one asked about, or nil and an error reply. With
-- `ask.epoch` only for the agent that was sent last; with `must_claim` only for one that has claimed
-- the session.
local function live(must_claim, s)
  s = s or load(ask.id)
  if not s.status then return nil, redis.error_reply("NOSESSION " .. s.id) end
  if s.status ~= "queued" and not HOLDING[s.status] then
    return nil, redis.error_reply("OVER " .. s.status)
  end
  if ask.epoch and ask.epoch ~= s.epoch then
    return nil, redis.error_reply("FENCED " .. s.epoch)
  end
  if must_claim and not s.job then return nil, redis.error_reply("UNCLAIMED " .. s.status) end
  return s
end

-- As above, but not for one that waits: it has no slot yet.
local function holding(must_claim)
  local s, failure = live(must_claim)
  if s and s.status == "queued" then return nil, redis.error_reply("WAITING " .. s.id) end
  return s, failure
end

-- Hold the slot until then. The record lives on with it.
local function hold_slot_until(s, lapse)
  redis.call("ZADD", key("slots"), lapse, s.id)
  redis.call("EXPIRE", s.key, limits.liveTtlS)
end
