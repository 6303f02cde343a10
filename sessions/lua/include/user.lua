-- user.lua: what is known of the user who asks for a session. Needs queue.lua.
-- ask.user is the SHA-1 of the user's id: keys name nobody, and no id can name another key. With
-- ask.isUnverified anybody may have sent it: no limit hangs on it, which would be another's.

-- Return the user's live session, or nil; with several, which only `allow` brings about, the newest.
local function live_session_of_user()
  if not ask.user or ask.policy == "allow" then return nil end
  for _, id in ipairs(redis.call("ZRANGE", key("user:" .. ask.user), 0, 19, "REV")) do
    local s = load(id)
    if s.status == "queued" or HOLDING[s.status] then return s end
  end
  return nil
end

-- Return an error reply if the user may not wait in line, or nil. Who has a place may keep it.
local function cannot_wait(place)
  if not ask.mayWait then return redis.error_reply("CAPACITY " .. limits.maxSessions) end
  if place then return nil end
  local waiting = redis.call("ZCOUNT", key("tickets"), "(" .. as_of, "+inf")
  if waiting >= limits.queueLimit then return redis.error_reply("QUEUEFULL " .. waiting) end
  if not ask.user or ask.isUnverified then return nil end
  local places = 0
  for _, id in ipairs(redis.call("ZRANGE", key("user:" .. ask.user), -20, -1)) do
    if redis.call("HGET", session_key(id), "status") == "queued" then places = places + 1 end
    if places >= limits.userQueueLimit then return redis.error_reply("USERBUSY " .. id) end
  end
  return nil
end

-- List the session with its user. Records that have lapsed are cleared away two at a time, so that
-- the list stays as short as the history.
local function list_with_user()
  if not ask.user then return end
  local name = key("user:" .. ask.user)
  for _, id in ipairs(redis.call("ZRANGE", name, 0, 1)) do
    if redis.call("EXISTS", session_key(id)) == 0 then redis.call("ZREM", name, id) end
  end
  -- One later than the last, so that the order is kept however fast they come.
  local last = redis.call("ZRANGE", name, -1, -1, "WITHSCORES")[2]
  redis.call("ZADD", name, math.max(now, (tonumber(last) or 0) + 1), ask.id)
  redis.call("EXPIRE", name, limits.liveTtlS)
end
