-- user.lua: what is known of the user who asks for a session. Needs queue.lua.
-- ask.user is the SHA-1 of the user's id: keys name nobody, and no id can name another key.

-- Return how many ms the user has to wait before starting another session, or nil. The generic
-- cell rate algorithm (ITU-T I.371): one time for each user, when all starts are paid back.
local function must_wait()
  local limit = limits.userStartsPerMinute
  if not ask.user or limit == 0 then return nil end
  local name, interval = key("rate:" .. ask.user), 60000 / limit
  local paid_at = math.max(tonumber(redis.call("GET", name) or 0), now) + interval
  if paid_at - now > 60000 then return math.ceil(paid_at - now - 60000) end
  redis.call("SET", name, paid_at, "PX", math.ceil(paid_at - now))
  return nil
end

-- Return the user's live session, or nil.
local function live_session_of_user()
  if not ask.user or ask.policy == "allow" then return nil end
  local id = redis.call("ZRANGE", key("user:" .. ask.user), -1, -1)[1]
  local s = id and load(id)
  return s and (s.status == "queued" or HOLDING[s.status]) and s or nil
end

-- Return an error reply if the user may not wait in line behind so many others, or nil.
local function cannot_wait(waiting)
  if not ask.mayWait then return redis.error_reply("CAPACITY " .. limits.maxSessions) end
  if waiting >= limits.queueLimit then return redis.error_reply("QUEUEFULL " .. waiting) end
  if not ask.user then return nil end
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
  -- One later than the last, so that the newest is the live one however fast they come.
  local last = redis.call("ZRANGE", name, -1, -1, "WITHSCORES")[2]
  redis.call("ZADD", name, math.max(now, (tonumber(last) or 0) + 1), ask.id)
  redis.call("EXPIRE", name, limits.liveTtlS)
end
