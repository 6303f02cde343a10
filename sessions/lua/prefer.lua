-- prefer: which worker had a user's last session, and what it says of itself.
-- KEYS store   ARGV {user: SHA-1 of the id, limit}; so many sessions are looked at, the last first
-- Returns {id?, worker?: {name: value …}}: no id when none of them had an agent, no worker when that
--   one is not in the list any more.
-- Errors: none.
for _, id in ipairs(redis.call("ZRANGE", key("user:" .. ask.user), 0, ask.limit - 1, "REV")) do
  local worker, fields = redis.call("HGET", session_key(id), "workerId"), {}
  if worker then
    local lapses = redis.call("ZSCORE", key("workers"), worker)
    local row = redis.call("HGETALL", key("worker:" .. worker))
    for place = 1, lapses and tonumber(lapses) > now and #row or 0, 2 do
      fields[row[place]] = row[place + 1]
    end
    return answer({ id = worker, worker = fields })
  end
end
return answer({})
