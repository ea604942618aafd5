-- Posts the bodies of a file, one a line, in turn; each thread begins elsewhere. Prints one line of JSON at the end.
local bodies = {}
local path, paces = nil, 0

function init(args)
  path = args[1]
  for line in io.lines(args[2]) do
    bodies[#bodies + 1] = line
  end
  math.randomseed(tonumber(tostring({}):sub(8)) or 1)
  paces = math.random(#bodies)
  -- Made once: wrk itself must cost next to nothing on the cores that it shares with the server.
  for index, body in ipairs(bodies) do
    bodies[index] = wrk.format("POST", path, { ["Content-Type"] = "application/json" }, body)
  end
end

function request()
  paces = paces % #bodies + 1
  return bodies[paces]
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "p50": %.3f, "p95": %.3f, "p99": %.3f, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3,
    latency:percentile(99) / 1e3, errors.status, errors.connect + errors.read + errors.write + errors.timeout
  ))
end
