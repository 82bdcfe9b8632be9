-- Writes what follows from what was read, if that still stands: an optimistic transaction. What is written is computed
-- by the caller.
-- KEYS: numbers (hash), changes (zset), closing (set), then every key that is looked at or written, in any order
-- ARGV: four sections, each led by how many entries it has
--   expected: key (its place in KEYS), field, what the field of the hash begins with. No field: the key is absent.
--             Nothing expected: the field is absent.
--   written:  how many arguments, command, key, arguments ...
--   told:     a change for other nodes, which gets the next number
--   ended:    set of items, set of later items, push: without items it joins `closing`
-- Answers {0, which expectation failed} or {1, pushes that joined closing ...}.
local at = 0
local function take()
  at = at + 1
  return ARGV[at]
end
local function take_key() return KEYS[tonumber(take())] end

for i = 1, tonumber(take()) do
  local key, field, expected = take_key(), take(), take()
  local holds
  if field == '' then
    holds = redis.call('EXISTS', key) == 0
  else
    local found = redis.call('HGET', key, field)
    holds = found and expected ~= '' and string.sub(found, 1, #expected) == expected or not found and expected == ''
  end
  if not holds then return {0, i} end
end
for _ = 1, tonumber(take()) do
  local n, command, key = tonumber(take()), take(), take_key()
  local done = redis.pcall(command, key, unpack(ARGV, at + 1, at + n))
  -- A key that somebody else damaged: the others must be written, a script is not taken back.
  if type(done) == 'table' and done.err and not string.find(done.err, 'WRONGTYPE') and not string.find(done.err, 'not an integer') then
    return done
  end
  at = at + n
end
-- Numbers of changes are above the clock for the same reason as ids (open.lua).
local told = tonumber(take())
local last = told > 0 and math.max(tonumber(redis.call('HGET', KEYS[1], 'change') or 0), belfry_now() * 100) or 0
for i = 1, told do
  local number = string.format('%.0f', last + i)
  redis.call('ZADD', KEYS[2], number, number .. ' ' .. take())
end
if told > 0 then redis.call('HSET', KEYS[1], 'change', string.format('%.0f', last + told)) end
local answer = {1}
for _ = 1, tonumber(take()) do
  local items, laters, push = take_key(), take_key(), take()
  if redis.call('EXISTS', items) == 0 and redis.call('EXISTS', laters) == 0 then
    redis.call('SADD', KEYS[3], push)
    answer[#answer + 1] = push
  end
end
return answer
