-- run.lua: runs what was asked for, one verb after the other. Comes after everything else.
-- ARGV[2..] JSON objects: {verb, …}, the rest as the verb's own file says.
-- Returns an answer or an error for each.
local function failure_of(problem)
  return type(problem) == "table" and problem or redis.error_reply("ERR " .. tostring(problem))
end

local answers = {}
for place = 2, #ARGV do
  ask = cjson.decode(ARGV[place])
  local is_done, result = pcall(verbs[ask.verb])
  answers[place - 1] = is_done and result or failure_of(result)
end
return answers
