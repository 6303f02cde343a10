-- queue.lua: who waits for a slot. Needs slots.lua and release.lua.
-- The queue is the index `session:queued`, scored by ticket number; `tickets` is scored by when a
-- ticket lapses. Whatever frees a slot, or sees a free one, lets the first in line have it.

-- End the wait of a session whose ticket has lapsed, or clear away one whose record has.
local function drop(s)
  if s.status == "queued" then release(s, "expired") else sweep(s.id) end
end

-- Admit whoever is first while there is a slot, drop those first in line who left. Returns the
-- ids that were admitted, whose agents are to be sent at once, and the slots that are still free.
local function admit_waiting()
  local admitted, free = {}, nil
  for _ = 1, limits.lookedAt do
    local id = redis.call("ZRANGE", index("queued"), 0, 0)[1]
    if not id then break end
    local lapse, s = tonumber(redis.call("ZSCORE", key("tickets"), id) or 0), load(id)
    free = free or free_slots()
    if lapse <= as_of or s.status ~= "queued" then
      drop(s)
    elseif free > 0 and #admitted < limits.admitBatch then
      redis.call("ZREM", key("tickets"), id)
      start(s, now)
      free, admitted[#admitted + 1] = free - 1, id
    else
      break
    end
  end
  return admitted, free or free_slots()
end

-- Keep the place of one who waits. In the room, the user holds it by being there.
local function keep_place(s)
  if not s.joined then redis.call("ZADD", key("tickets"), now + limits.ticketTtlMs, s.id) end
  redis.call("EXPIRE", s.key, limits.liveTtlS)
end

-- The place of a waiting session, counted from 1, and how long the wait may be in ms, if known.
local function place_of(s)
  if s.status ~= "queued" then return nil, nil end
  local position, mean = redis.call("ZRANK", index("queued"), s.id) + 1, tonumber(meta[5])
  return position, mean and math.ceil(position * mean / limits.maxSessions)
end

-- What is answered for a session that is there already. Asking for it keeps its place.
local function known(s, outcome)
  if s.status == "queued" then keep_place(s) end
  local position, eta = place_of(s)
  return about(s, false, { outcome = outcome, position = position, etaMs = eta })
end
