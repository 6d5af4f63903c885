-- Sends the requests of a file over and over, each with an id of its own. Arguments: the file, and the six letters that all ids begin with.
-- The file: lines "BEFORE AFTER", how many bytes of a request stand before and behind its id, and behind each line the request without the id.

local threads = {}

function setup(thread)
  thread:set("letter", string.sub("abcdefghijklmnop", #threads + 1, #threads + 1))
  table.insert(threads, thread)
end

local before, after, four = {}, {}, {}
local count, place, low, high = 0, 0, 0, 0
local head = ""
sent = 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  for line in file:lines() do
    local a, b = line:match("^(%d+) (%d+)$")
    count = count + 1
    before[count] = file:read(tonumber(a))
    after[count] = tonumber(b) > 0 and file:read(tonumber(b)) or ""
  end
  file:close()
  local letters = "abcdefghijklmnop"
  for n = 0, 65535 do
    local text, rest = "", n
    for _ = 1, 4 do
      local digit = rest % 16 + 1
      text = letters:sub(digit, digit) .. text
      rest = (rest - digit + 1) / 16
    end
    four[n] = text
  end
  prefix = args[2] .. letter .. "a"
  head = prefix .. four[0]
end

-- An id is the six letters, one of the thread, an "a", and eight that count.
function request()
  place = place + 1
  if place > count then place = 1 end
  low = low + 1
  if low > 65535 then
    low, high = 0, high + 1
    head = prefix .. four[high]
  end
  sent = sent + 1
  return before[place] .. head .. four[low] .. after[place]
end

function done(summary, latency)
  local all = 0
  for _, thread in ipairs(threads) do all = all + thread:get("sent") end
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"sent":%d,"answered":%d,"refused":%d,"broken":%d,"micros":%d,"p50":%d,"p99":%d,"p999":%d,"max":%d}\n',
    all, summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout, summary.duration,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9), latency.max))
end
