-- Takes the items with the lowest virtual time off the given shelves of a lane.
-- KEYS: nodes, items, times, held (set of the node), ages (of the lane), numbers, shelf (zset by virtual time) ...
-- ARGV: node (16 hex digits), what an item row of it begins with (owner and epoch, 12 bytes), lane, how many
-- Answers {id, row ...}; nil for a node that nobody knows or that was taken for dead.
-- An item row begins with: owner 8 bytes, epoch 4, count of pages 4, place 1 (3: held), virtual time 8 (rows.h).
local nodes, items, times, held, ages, numbers = unpack(KEYS, 1, 6)
local me, owner, lane, most = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if string.sub(redis.call('HGET', nodes, me) or '1', -1) == '1' then return false end
local found = {}
for shelf = 7, #KEYS do
  local some = redis.call('ZRANGE', KEYS[shelf], 0, most - 1, 'WITHSCORES')
  for i = 1, #some, 2 do found[#found + 1] = {some[i], tonumber(some[i + 1]), KEYS[shelf]} end
end
if #found == 0 then return {} end
-- Ids have the same length.
table.sort(found, function(a, b)
  if a[2] ~= b[2] then return a[2] < b[2] end
  return a[1] < b[1]
end)
local reached = tonumber(redis.call('HGET', times, lane) or 0)
local answer, taken = {}, 0
for i = 1, #found do
  if taken == most then break end
  local id, vt, shelf = unpack(found[i])
  local row = redis.call('HGET', items, id)
  redis.call('ZREM', shelf, id)
  redis.call('ZREM', ages, id)
  -- An id without a row goes, so that those behind it can be sent.
  if row then
    taken = taken + 1
    reached = math.max(reached, vt)
    row = owner .. string.sub(row, 13, 16) .. string.char(3) .. struct.pack('<d', reached) .. string.sub(row, 26)
    redis.call('HSET', items, id, row)
    redis.call('SADD', held, id)
    answer[2 * taken - 1], answer[2 * taken] = id, row
  end
end
redis.call('HSET', times, lane, string.format('%.0f', reached))
redis.call('HINCRBY', numbers, 'held' .. lane, taken)
return answer
