-- join: the user is in the room. One who waits there for a slot needs no polling to keep the place.
-- KEYS store, session   ARGV {id, epoch?, identity?}; the user's, for a session that had none
-- Returns {id, changed, status, epoch}; changed is false when the status stays as it is.
-- Errors: NOSESSION, OVER <status>, FENCED <epoch>.
local s, failure = live()
if failure then return failure end
redis.call("HSETNX", s.key, "joinedAt", now)
if ask.identity and redis.call("HGET", s.key, "identity") == "" then
  redis.call("HSET", s.key, "identity", ask.identity)
end
if s.status == "queued" then
  redis.call("ZADD", key("tickets"), now + limits.liveTtlS * 1000, s.id)
end
if s.status ~= "ready" then return about(s, false) end
move(s, "active")
return about(s, true)
