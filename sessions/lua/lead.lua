-- lead: be the one supervisor for a while more, become it, or step down.
-- KEYS store
-- ARGV {leader, leaseMs, isHesitant?, isLeaving?}; who is hesitant leaves a vacant office to others
--   for one lease
-- Returns {leads, term, leader}; a term is the fencing token of one time in office, and only rises.
-- Errors: none.
local known = redis.call("HMGET", KEYS[1], "leader", "leaderUntil")
local leader, lapse = known[1], tonumber(known[2]) or 0
-- A clock that was set back does not prolong an office.
local holds = lapse > now and lapse <= now + limits.mostOfficeMs
local is_mine = holds and leader == ask.leader
if ask.isLeaving then
  if is_mine then redis.call("HSET", KEYS[1], "leaderUntil", now) end
  return answer({ leads = false, term = term, leader = leader or "" })
end
local is_vacant = not holds and (not ask.isHesitant or lapse + ask.leaseMs <= now)
if not is_mine and not is_vacant then
  return answer({ leads = false, term = term, leader = leader or "" })
end
if not is_mine then term = term + 1 end
redis.call("HSET", KEYS[1], "leader", ask.leader, "leaderUntil", now + ask.leaseMs, "term", term)
return answer({ leads = true, term = term, leader = ask.leader })
