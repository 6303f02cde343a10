-- finish: end or fail a session and free its slot.
-- KEYS as in include/session.lua
-- ARGV[4] ended or failed   ARGV[5] error, or ""   ARGV[6] epoch of the agent that asks, or ""
-- ARGV[7] 1 to do it only if the lease has lapsed, else 0   ARGV[8] TTL of the record in s
-- Returns {1, status, epoch} when this call did it, {0, …} when there was nothing left to do.
-- Errors: NOSESSION, FENCED <epoch>.
local status = redis.call("HGET", KEYS[1], "status")
if not status then
  redis.call("ZREM", KEYS[2], id)
  for _, set in pairs(set_of) do redis.call("SREM", set, id) end
  return redis.error_reply("NOSESSION " .. id)
end
if not set_of[status] then return reply(false, status) end
local epoch = redis.call("HGET", KEYS[1], "epoch")
if ARGV[6] ~= "" and ARGV[6] ~= epoch then return redis.error_reply("FENCED " .. epoch) end

local now = now_ms()
local lapse = tonumber(redis.call("ZSCORE", KEYS[2], id) or 0)
if ARGV[7] == "1" and lapse > now then return reply(false, status) end

redis.call("HSET", KEYS[1], "endedAt", now)
if ARGV[5] ~= "" then redis.call("HSET", KEYS[1], "error", ARGV[5]) end
redis.call("ZREM", KEYS[2], id)
move(status, ARGV[4])
redis.call("EXPIRE", KEYS[1], tonumber(ARGV[8]))
return reply(true, ARGV[4])
