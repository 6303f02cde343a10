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

-- Return the session that an idempotency key led to, or nil, or nil and an error reply.
local function asked_before()
  if not ask.idempotency then return nil end
  local earlier = redis.call("HMGET", key("idem:" .. ask.idempotency.key), "id", "fingerprint")
  local s = earlier[1] and load(earlier[1])
  if not s or not s.status then return nil end
  if earlier[2] == ask.idempotency.fingerprint then return s end
  return nil, redis.error_reply("IDEMPOTENCY " .. s.id)
end

-- List the session under its idempotency key.
local function list_with_idempotency()
  if not ask.idempotency then return end
  local name = key("idem:" .. ask.idempotency.key)
  redis.call("HSET", name, "id", ask.id, "fingerprint", ask.idempotency.fingerprint)
  redis.call("EXPIRE", name, limits.idempotencyTtlS)
end
