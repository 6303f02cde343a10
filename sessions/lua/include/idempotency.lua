-- idempotency.lua: a client asks again because it got no answer. Needs session.lua.
-- ask.idempotency holds digests of the key with who asks, and of what is asked.

-- Return the session that an idempotency key led to, or nil, or nil and an error reply.
local function asked_before()
  if not ask.idempotency then return nil end
  local earlier = redis.call("HMGET", key("idem:" .. ask.idempotency.key), "id", "fingerprint")
  local s = earlier[1] and load(earlier[1])
  if not s or not s.status then return nil end
  if earlier[2] == ask.idempotency.fingerprint then return s end
  return nil, redis.error_reply("IDEMPOTENCY " .. s.id)
end

-- Let the same request be made again under its key, as if it had not been.
local function forget_request(s)
  local name = redis.call("HGET", s.key, "idempotency")
  if name then redis.call("DEL", key("idem:" .. name)) end
end

-- List the session under its idempotency key.
local function list_with_idempotency()
  if not ask.idempotency then return end
  local name = key("idem:" .. ask.idempotency.key)
  redis.call("HSET", name, "id", ask.id, "fingerprint", ask.idempotency.fingerprint)
  redis.call("EXPIRE", name, limits.idempotencyTtlS)
end
