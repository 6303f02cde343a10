-- closed: the room is no more. A session that was over is settled; one that was not is over now.
-- KEYS store, session   ARGV {id, epoch?}
-- Returns {id, changed, status, epoch, admitted?}; changed is false when it was settled before.
-- Errors: NOSESSION, FENCED <epoch>.
local s = load(ask.id)
if not s.status then return redis.error_reply("NOSESSION " .. s.id) end
if TERMINAL[s.status] then return about(s, false) end
if ask.epoch and ask.epoch ~= s.epoch then return redis.error_reply("FENCED " .. s.epoch) end
local admitted = {}
if s.status ~= "ending" then
  release(s, "ended", "room_closed")
  admitted = admit_waiting()
end
if s.status == "ending" then settle(s, redis.call("HGET", s.key, "outcome")) end
return about(s, true, { admitted = admitted })
