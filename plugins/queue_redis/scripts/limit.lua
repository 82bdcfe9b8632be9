-- Charges deliveries against rate limits: what plugins/shared/queue/gcra.h means, once more.
-- KEYS: for each charge, for each policy: the hash of even epochs, that of odd ones
-- ARGV: how many policies; of each its rate, interval, burst * interval and epoch in ms; then 12 bytes of each charge:
--       the field of its bucket 8, its stamp 4 (zeros: none)
-- Answers, for each charge: 0 taken, -1 taken before, or how many ms to wait.
-- A bucket: the ms at which it is full again 8, parts of 1 / rate of one 4, stamps 4 each, the latest first. It is
-- written into the hash of the running epoch, which is as long as an empty bucket takes to fill, or longer: the hash
-- before has all others that are not full, and when the next but one epoch begins it is gone.
local now, n, keys, call = belfry_now(), tonumber(ARGV[1]), KEYS, redis.call
local policies = {}
for p = 1, n do
  local at = 4 * p - 2
  local epoch = tonumber(ARGV[at + 3])
  local number = math.floor(now / epoch)
  policies[p] = {rate = tonumber(ARGV[at]), interval = tonumber(ARGV[at + 1]), empty = tonumber(ARGV[at + 2]),
                 parity = number % 2, ttl = (number + 2) * epoch - now}
end

local function write(bucket, lacks, stamps)
  local policy = bucket.policy
  local parts = lacks % policy.rate
  local row = struct.pack('<I8I4', now + (lacks - parts) / policy.rate, parts) .. stamps
  if call('HSET', bucket.key, bucket.field, row) == 1 then
    call('PEXPIRE', bucket.key, string.format('%.0f', policy.ttl), 'NX')
  end
end

local function read(bucket, key)
  local row = call('HGET', key, bucket.field)
  if not row then return end
  local full, parts = struct.unpack('<I8I4', row)
  local lacks = (full - now) * bucket.policy.rate + parts
  if lacks <= 0 then return end
  bucket.lacks, bucket.stamps = lacks, string.sub(row, 13)
  if lacks <= bucket.policy.empty then return end
  -- The clock stepped back: it is empty now.
  bucket.lacks = bucket.policy.empty
  write(bucket, bucket.lacks, bucket.stamps)
end

local function knows(stamps, stamp)
  for i = 1, #stamps, 4 do
    if string.sub(stamps, i, i + 3) == stamp then return true end
  end
  return false
end

local charges, answer, unnamed = ARGV[4 * n + 2], {}, '\0\0\0\0'
local buckets = {}
for p = 1, n do buckets[p] = {policy = policies[p]} end
for c = 0, #charges / 12 - 1 do
  local field, stamp = string.sub(charges, 12 * c + 1, 12 * c + 8), string.sub(charges, 12 * c + 9, 12 * c + 12)
  local wait, known = 0, false
  for p = 1, n do
    local bucket, policy, at = buckets[p], policies[p], 2 * (c * n + p) - 1
    bucket.field, bucket.key, bucket.lacks, bucket.stamps = field, keys[at + policy.parity], 0, ''
    read(bucket, bucket.key)
    if bucket.lacks == 0 then read(bucket, keys[at + 1 - policy.parity]) end
    known = known or stamp ~= unnamed and knows(bucket.stamps, stamp)
    local missing = bucket.lacks + policy.interval - policy.empty
    if missing > 0 then wait = math.max(wait, math.ceil(missing / policy.rate)) end
  end
  if known then
    wait = -1
  elseif wait == 0 then
    for p = 1, n do
      local bucket = buckets[p]
      local stamps = stamp == unnamed and bucket.stamps or stamp .. string.sub(bucket.stamps, 1, 28)
      write(bucket, bucket.lacks + policies[p].interval, stamps)
    end
  end
  answer[c + 1] = wait
end
return answer
