-- admit: give a new session a slot and put it into `starting`.
-- KEYS as in include/session.lua
-- ARGV[4] capacity   ARGV[5] lease in ms   ARGV[6..] fields of the session, name and value in turn
-- Returns {1, "starting", 1} for a new session, {0, status, epoch} when it was admitted before.
-- Errors: CAPACITY <slots taken>.
local known = redis.call("HGET", KEYS[1], "status")
if known then return reply(false, known) end

local now = now_ms()
local taken = redis.call("ZCOUNT", KEYS[2], "(" .. now, "+inf")
if taken >= tonumber(ARGV[4]) then return redis.error_reply("CAPACITY " .. taken) end

redis.call("HSET", KEYS[1], "epoch", 1, "createdAt", now, unpack(ARGV, 6))
move(nil, "starting")
hold_slot_until(now + tonumber(ARGV[5]), "starting")
return reply(true, "starting")
