-- lease.lua: who may write to a session, and how long its slot is held. Needs gone.lua.

-- Return a session that is not over, the one asked about, or nil and an error reply. With
-- `ask.epoch` only under the epoch of the agent sent last; with `must_claim` only once the session has
-- been claimed.
local function live(must_claim, s)
  s = s or load(ask.id)
  if not s.status then
    if is_gone(s.id) then return nil, redis.error_reply("OVER gone") end
    return nil, redis.error_reply("NOSESSION " .. s.id)
  end
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

-- Hold the slot until then. The record lives on with it, and nothing is suspected any more.
local function hold_slot_until(s, lapse)
  redis.call("ZADD", key("slots"), lapse, s.id)
  redis.call("ZREM", key("suspects"), s.id)
  redis.call("EXPIRE", s.key, limits.liveTtlS)
end

-- The list of the user's sessions lives on with a live one, and always has it.
local function keep_listed(s)
  if not s.user then return end
  redis.call("ZADD", key("user:" .. s.user), "NX", s.created, s.id)
  redis.call("EXPIRE", key("user:" .. s.user), limits.liveTtlS)
end
