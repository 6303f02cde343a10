-- minutes.lua: what happened in each of the last minutes. Needs store.lua.
-- A ring: the field is the minute modulo its length, the value "minute count count …": those of
-- COUNTED in this order, then first starts by how long they took, up to each edge and beyond. A
-- field that comes round again begins anew; nobody has to clear it.
local COUNTED = { admitted = 1, ready = 2, failed = 3, ended = 4, expired = 5 }

-- Count one more of what is COUNTED, in this minute and since the store is there; and at more places.
local function count(what, ...)
  redis.call("HINCRBY", key("counts"), what, 1)
  local minute = math.floor(now / 60000)
  local field, numbers = minute % limits.minutesKept, {}
  for text in string.gmatch(redis.call("HGET", key("minutes"), field) or "", "%d+") do
    numbers[#numbers + 1] = tonumber(text)
  end
  if numbers[1] ~= minute or #numbers ~= 1 + limits.countsOfMinute then
    numbers = { minute }
    for place = 1, limits.countsOfMinute do numbers[1 + place] = 0 end
  end
  for _, place in ipairs({ COUNTED[what], ... }) do numbers[1 + place] = numbers[1 + place] + 1 end
  redis.call("HSET", key("minutes"), field, table.concat(numbers, " "))
end

-- Count a session whose first agent is there, and by how long that took.
local function count_start(took)
  local place = 1 + COUNTED.expired
  for edge in string.gmatch(limits.startupEdgesMs, "%d+") do
    if took > tonumber(edge) then place = place + 1 end
  end
  count("ready", place)
end
