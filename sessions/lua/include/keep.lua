-- keep.lua: what is kept of a session when it is over. Needs session.lua.

-- Remember how long slots are held; recent sessions count more. The queue's ETA comes from it.
local function learn_length(held)
  held = math.max(0, held)
  local mean = tonumber(meta[5])
  meta[5] = mean and mean + (held - mean) * limits.lengthWeight or held
  redis.call("HSET", KEYS[1], "meanHeld", meta[5])
end

-- Keep the last turns for the user's next session, if the user wants that: "time role text". No more
-- is looked at than may be kept.
local function remember(s)
  local memory, bytes = key("memory:" .. s.user), 0
  local turns = redis.call("LRANGE", key("conversation:" .. s.id), -limits.memoryTurns, -1)
  for place = 1, #turns do
    local age, words = string.match(turns[place], "^(%d+) (.*)$")
    if age then turns[place] = s.created + age .. " " .. words end
  end
  if #turns > 0 then redis.call("RPUSH", memory, unpack(turns)) end
  redis.call("LTRIM", memory, -limits.memoryTurns, -1)
  local kept = redis.call("LRANGE", memory, 0, -1)
  for place = #kept, 1, -1 do
    bytes = bytes + #kept[place]
    if bytes > limits.memoryBytes then redis.call("LTRIM", memory, place, -1) break end
  end
  redis.call("EXPIRE", memory, limits.memoryTtlS)
end

-- Keep the list of a user's sessions as long as the records, once none of the last ones is live.
local function keep_list_of_user(s)
  if not s.user then return end
  local list = key("user:" .. s.user)
  for _, id in ipairs(redis.call("ZRANGE", list, -20, -1)) do
    local status = redis.call("HGET", session_key(id), "status")
    if status and not TERMINAL[status] then return end
  end
  redis.call("EXPIRE", list, limits.historyTtlS)
end

-- Keep the words as long as the record, or no longer.
local function keep_words(s)
  if s.remember and s.user then remember(s) end
  if not limits.keepTranscripts then redis.call("DEL", key("conversation:" .. s.id)) end
end
