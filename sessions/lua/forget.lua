-- forget: erase what is known of a user. Live sessions end; what is left of them until their rooms
-- are closed names nobody.
-- KEYS store   ARGV {user, limit}
-- Returns {left, ending?: [id …], admitted?}: how many sessions are still to do (call again), and
--   whose rooms are to be closed.
-- Errors: none.
local list, ending, admitted = key("user:" .. ask.user), {}, {}
local ids = redis.call("ZRANGE", list, 0, ask.limit - 1)
for _, id in ipairs(ids) do
  local s = load(id)
  s.remember = nil
  if s.status == "queued" or HOLDING[s.status] then release(s, "ended", "forgotten") end
  forget_request(s)
  redis.call("DEL", key("conversation:" .. id), key("agent:" .. id .. ":logs"), key("record:" .. id))
  if s.status == "ending" then
    for revision = math.max(1, s.revision - limits.eventsKept + 1), s.revision do
      redis.call("HDEL", s.key, "e:" .. revision)
    end
    redis.call("HDEL", s.key, "userId", "remember", "secretHash", "idempotency", "logBatch", "turn",
      "error")
    redis.call("HSET", s.key, "forgotten", 1)
    ending[#ending + 1] = id
  else
    if s.status then bury(s) end
    sweep(id)
  end
  redis.call("ZREM", list, id)
end
redis.call("DEL", key("memory:" .. ask.user), key("rate:" .. ask.user))
if #ids > 0 then admitted = admit_waiting() end
return answer({ left = redis.call("ZCARD", list), ending = ending, admitted = admitted })
