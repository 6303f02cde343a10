-- gone.lua: what is left of sessions whose users were forgotten. Needs session.lua.

-- A session whose user was forgotten has no record, but it was there: a token may still open its
-- room, and would begin it anew. Both last as long as the record would have.
local function bury(s)
  redis.call("DEL", s.key)
  redis.call("SET", key("gone:" .. s.id), 1, "EX", limits.historyTtlS)
end

local function is_gone(id) return redis.call("EXISTS", key("gone:" .. id)) == 1 end
