-- admit: give a new session a slot, or a place in the queue.
-- KEYS store, session
-- ARGV {id, fields: [name, value …], secretHash, user?, isUnverified?, caller?, policy?, mayWait,
--   idempotency?: {key, fingerprint}}
-- Returns {outcome, id, changed, status, epoch, position?, etaMs?, admitted?, replaced?}; outcome
--   is new, known (asked for before: nothing changes) or resumed (the user's live session).
-- Errors: OVER gone, IDEMPOTENCY <id>, RATE <ms>, USERBUSY <id>, CAPACITY <slots>, QUEUEFULL <waiting>.
local earlier, conflict = asked_before()
if conflict then return conflict end
if earlier then return known(earlier, "known") end
local s = load(ask.id)
if s.status then return known(s, "known") end
if is_gone(s.id) then return redis.error_reply("OVER gone") end

local other = live_session_of_user()
if other and ask.policy == "reject" then return redis.error_reply("USERBUSY " .. other.id) end
if other and ask.policy == "resume" then
  -- Whoever would not wait is not given a place in line that another tab keeps.
  if other.status == "queued" and not ask.mayWait then return cannot_wait() end
  redis.call("HSET", other.key, "secretHash", ask.secretHash)
  return known(other, "resumed")
end
local wait, bills = must_wait()
if wait then return redis.error_reply("RATE " .. wait) end
-- Who came first is served first. Then there is a slot, or for a while there is none. Who replaces
-- a session has its slot, if that has not healed, or its place in line.
local admitted, free = admit_waiting()
other = other and live_session_of_user()
local waiting = redis.call("ZCARD", index("queued"))
local has_slot, place = other and holds_slot(other) or waiting == 0 and free > 0, nil
if not has_slot then
  place = other and redis.call("ZSCORE", index("queued"), other.id) or nil
  local refusal = cannot_wait(place)
  if refusal then return refusal end
end
if other then
  release(other, "ended", "replaced")
  admitted = without(admitted, other.id)
end

s.epoch, s.created = 1, now
local fields = ask.fields
fields[#fields + 1], fields[#fields + 2] = "createdAt", now
pay(bills)
list_with_user()
list_with_idempotency()
if has_slot then
  fields[#fields + 1], fields[#fields + 2] = "dispatchedAt", now
  start(s, now + claim_ms(), fields)
else
  move(s, "queued", nil, fields, place)
  keep_place(s)
end
local position, eta = place_of(s)
return about(s, true, { outcome = "new", position = position, etaMs = eta, admitted = admitted,
  replaced = other and other.id })
