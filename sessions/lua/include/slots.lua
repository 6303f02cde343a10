-- slots.lua: slots, and who gets one. Needs arrivals, lease, minutes and release.

-- A slot outlasts its agent's lease by a while, in which another agent is sent. After that it is
-- free, whoever was to see to it.
local function free_slots()
  local since = "(" .. as_of - limits.slotGraceMs
  return limits.maxSessions - redis.call("ZCOUNT", key("slots"), since, "+inf")
end

-- Whether a session still has its slot, or it has healed.
local function holds_slot(s)
  local lapse = redis.call("ZSCORE", key("slots"), s.id)
  return lapse and tonumber(lapse) > as_of - limits.slotGraceMs
end

-- Whether a session that was silent for too long comes back to find its slot healed and given away.
-- Then it cannot go on: there are never more sessions than slots.
local function has_lost_slot(s) return not holds_slot(s) and free_slots() <= 0 end

-- Hold the slot of a session until then, or fail the session and return an error reply.
local function keep_slot_until(s, lapse)
  if has_lost_slot(s) then
    release(s, "failed", limits.slotLost)
    return redis.error_reply("OVER " .. s.status)
  end
  hold_slot_until(s, lapse)
  return nil
end

-- Give a slot to a session. Its agent has to be sent by `due`, or somebody else sends one.
local function start(s, due, fields)
  fields = fields or {}
  fields[#fields + 1], fields[#fields + 2] = "admittedAt", now
  redis.call("ZADD", key("dispatches"), due, s.id)
  move(s, "starting", nil, fields)
  count("admitted")
  count_arrival()
  hold_slot_until(s, now + limits.startLeaseMs)
end
