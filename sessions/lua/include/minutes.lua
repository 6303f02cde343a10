-- minutes.lua: what happened in each of the last minutes, and hours. Needs store.lua.
-- Rings: the field is the minute modulo the ring's length, the value "minute count count …": those of
-- COUNTED in this order, then first starts by how long they took, up to each edge and beyond. Hours
-- have fewer: "hour ready failed". A field that comes round again begins anew; nobody has to clear it.
local COUNTED = { admitted = 1, ready = 2, failed = 3, ended = 4, expired = 5 }
local HOURLY = { ready = 1, failed = 2 }

-- Count one more at some places of the field of a ring that `at` belongs to.
local function count_in(ring, at, length, width, places)
  local field, numbers = at % length, {}
  for text in string.gmatch(redis.call("HGET", ring, field) or "", "%d+") do
    numbers[#numbers + 1] = tonumber(text)
  end
  if numbers[1] ~= at or #numbers ~= 1 + width then
    numbers = { at }
    for place = 1, width do numbers[1 + place] = 0 end
  end
  for _, place in ipairs(places) do numbers[1 + place] = numbers[1 + place] + 1 end
  redis.call("HSET", ring, field, table.concat(numbers, " "))
end

-- Count one more of what is COUNTED, in this minute and since the store is there; and at more places.
local function count(what, ...)
  redis.call("HINCRBY", key("counts"), what, 1)
  local places = { COUNTED[what], ... }
  local minute = math.floor(now / 60000)
  count_in(key("minutes"), minute, limits.minutesKept, limits.countsOfMinute, places)
  if not HOURLY[what] then return end
  local hour = math.floor(now / 3600000)
  count_in(key("hours"), hour, limits.hoursKept, 2, { HOURLY[what] })
  redis.call("EXPIRE", key("hours"), limits.hoursKept * 3600)
end

-- Count a session whose first agent is there, and by how long that took.
local function count_start(took)
  local place = 1 + COUNTED.expired
  for edge in string.gmatch(limits.startupEdgesMs, "%d+") do
    if took > tonumber(edge) then place = place + 1 end
  end
  count("ready", place)
end
