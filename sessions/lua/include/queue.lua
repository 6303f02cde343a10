-- queue.lua: slots, and who waits for one. Needs lease.lua and release.lua.
-- The queue is the index `session:queued`, scored by ticket number; `tickets` is scored by when a
-- ticket lapses. Whatever frees a slot, or sees a free one, lets the first in line have it.

-- A slot outlasts its agent's lease by a while, in which another agent is sent. After that it is
-- free, whoever was to see to it.
local function free_slots()
  local since = "(" .. as_of - limits.slotGraceMs
  return limits.maxSessions - redis.call("ZCOUNT", key("slots"), since, "+inf")
end

-- Give a slot to a session. Its agent has to be sent by `due`, or somebody else sends one.
local function start(s, due, fields)
  fields = fields or {}
  fields[#fields + 1], fields[#fields + 2] = "admittedAt", now
  redis.call("ZADD", key("dispatches"), due, s.id)
  move(s, "starting", nil, fields)
  hold_slot_until(s, now + limits.startLeaseMs)
end

-- End the wait of a session whose ticket has lapsed, or clear away one whose record has.
local function drop(s)
  if s.status == "queued" then release(s, "expired") else sweep(s.id) end
end

-- Admit whoever is first while there is a slot, drop those first in line who left. Returns the
-- ids that were admitted, whose agents are to be sent at once, and the slots that are still free.
local function admit_waiting()
  local admitted, free = {}, nil
  for _ = 1, limits.admitBatch do
    local id = redis.call("ZRANGE", index("queued"), 0, 0)[1]
    if not id then break end
    local lapse, s = tonumber(redis.call("ZSCORE", key("tickets"), id) or 0), load(id)
    free = free or free_slots()
    if lapse <= as_of or s.status ~= "queued" then
      drop(s)
    elseif free > 0 then
      redis.call("ZREM", key("tickets"), id)
      start(s, now)
      free, admitted[#admitted + 1] = free - 1, id
    else
      break
    end
  end
  return admitted, free or free_slots()
end

-- The place of a waiting session, counted from 1, and how long the wait may be in ms, if known.
local function place_of(s)
  if s.status ~= "queued" then return nil, nil end
  local position, mean = redis.call("ZRANK", index("queued"), s.id) + 1, tonumber(meta[5])
  return position, mean and math.ceil(position * mean / limits.maxSessions)
end
