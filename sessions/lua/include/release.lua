-- release.lua: a session is over: it gives back its slot, or its place. Needs keep.lua
-- and minutes.lua.

-- Take a session out of everything that waits for it.
local function unlist(id)
  for _, name in ipairs({ "slots", "dispatches", "suspects", "tickets", "ghosts" }) do
    redis.call("ZREM", key(name), id)
  end
end

-- Clear away what points to a session whose record is gone.
local function sweep(id)
  unlist(id)
  for name in string.gmatch(limits.shared, "session:%S+") do redis.call("ZREM", key(name), id) end
end

-- Take sessions from an index of what is over when their record has expired.
local function prune(status, most, ttl_s)
  local oldest = now - ttl_s * 1000
  local past = math.min(redis.call("ZCOUNT", index(status), "-inf", oldest), most)
  if past > 0 then redis.call("ZREMRANGEBYRANK", index(status), 0, past - 1) end
end

-- The last step: its status never changes again. The record is kept for a while, unless the user
-- is to be forgotten.
local function settle(s, to, detail, fields)
  move(s, to, detail, fields)
  local words, logs = key("conversation:" .. s.id), key("agent:" .. s.id .. ":logs")
  for _, name in ipairs({ s.key, words, logs, key("record:" .. s.id) }) do
    redis.call("EXPIRE", name, limits.historyTtlS)
  end
  if s.forgotten then
    bury(s)
    redis.call("ZREM", index(to), s.id)
  end
  keep_list_of_user(s)
  prune(to, 50, limits.historyTtlS)
end

-- Take a session out of everything that waits for it, and free its slot. Where nobody can be in
-- its room it is settled at once; elsewhere it is `ending` until the room is known to be closed.
local function release(s, outcome, why)
  local fields = { "endedAt", now, "outcome", outcome }
  if why then
    fields[#fields + 1], fields[#fields + 2] = outcome == "failed" and "error" or "reason", why
  end
  count(outcome)
  if s.admitted then learn_length(now - s.admitted) end
  keep_words(s)
  unlist(s.id)
  if s.status == "queued" and not s.joined then
    settle(s, outcome, why, fields)
  else
    move(s, "ending", why, fields)
  end
end
