-- run.lua: runs what was asked for, one verb after the other. Comes after everything else.
-- ARGV[2..] JSON objects: {verb, …}, the rest as the verb's own file says.
-- Returns an answer or an error for each: one that fails does not touch the others.
local function run(text)
  ask = cjson.decode(text)
  -- A leader that has been followed by another writes nothing any more.
  if ask.term and ask.term ~= term then return redis.error_reply("DEPOSED " .. term) end
  return verbs[ask.verb]()
end

-- Redis 7 throws error replies; before that they are text, behind where it happened and a dash.
local function failure_of(problem)
  if type(problem) == "table" then return problem end
  local text = tostring(problem)
  return redis.error_reply(string.match(text, "%-(%u+ .*)$") or "ERR " .. text)
end

local answers = {}
for place = 2, #ARGV do
  local is_done, result = pcall(run, ARGV[place])
  answers[place - 1] = is_done and result or failure_of(result)
end

-- What all sessions share lives on as long as anybody writes; seen to once a second.
if math.floor(now / limits.tickMs) ~= math.floor(pulse / limits.tickMs) then
  for name in string.gmatch(limits.shared, "%S+") do
    redis.call("EXPIRE", key(name), limits.liveTtlS)
  end
end
return answers
