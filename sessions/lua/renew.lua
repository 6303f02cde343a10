-- renew: an agent's heartbeat; its lease lasts a little longer.
-- KEYS as in include/session.lua   ARGV[4] epoch   ARGV[5] lease in ms
-- Returns {1, status, epoch}.
-- Errors: NOSESSION, OVER <status>, FENCED <epoch>.
local status, failure = fenced_status(ARGV[4])
if failure then return failure end
hold_slot_until(now_ms() + tonumber(ARGV[5]), status)
return reply(true, status)
