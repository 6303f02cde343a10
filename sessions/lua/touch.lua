-- touch: the user still waits; the ticket is good for a while longer.
-- KEYS store, session   ARGV {id}
-- Returns {id, changed, status, epoch, position?, etaMs?, admitted?}; changed is false when the
--   session does not wait any more. Whoever asks may find a slot, for those ahead or for itself.
-- Errors: NOSESSION.
local s = load(ask.id)
if not s.status then return redis.error_reply("NOSESSION " .. s.id) end
if s.status ~= "queued" then return about(s, false) end
keep_place(s)
keep_listed(s)
local admitted = admit_waiting()
s = load(ask.id)
local position, eta = place_of(s)
return about(s, true, { position = position, etaMs = eta, admitted = admitted })
