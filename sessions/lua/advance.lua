-- advance: what no session asks for: drop whose ticket has lapsed, admit who waits while there is a
-- slot, as for slots that came free by themselves, and prune the history.
-- KEYS store   ARGV {limit}
-- Returns {admitted?, expired?: [id …]}.
-- Errors: none.
local expired = {}
local lapsed = redis.call("ZRANGE", key("tickets"), "-inf", as_of, "BYSCORE", "LIMIT", 0, ask.limit)
for _, id in ipairs(lapsed) do
  drop(load(id))
  expired[#expired + 1] = id
end
for status in pairs(TERMINAL) do prune(status, 5000, limits.historyTtlS) end
prune("ending", 5000, limits.liveTtlS)
return answer({ admitted = (admit_waiting()), expired = expired })
