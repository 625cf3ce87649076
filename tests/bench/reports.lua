-- SPDX-License-Identifier: Apache-2.0
-- wrk: every request is another report, as JSON with a client key of its own.
local threads = 0
function setup(thread)
   threads = threads + 1
   thread:set("number", threads)
end
local count = 0
local story = string.rep("Jalan di depan pasar rusak parah dan berlubang sejak dua minggu. ", 8)
local headers = {["Content-Type"] = "application/json", ["Accept"] = "application/json"}
local run = tostring(os.time())
function request()
   count = count + 1
   local key = "bench-" .. run .. "-" .. number .. "-" .. count
   local body = '{"story": "' .. story .. key .. '", "location": "Jl. Contoh No. 1, Pondok Bambu", '
      .. '"category": "jalan", "client_key": "' .. key .. '"}'
   return wrk.format("POST", "/reports", headers, body)
end
local refused = 0
function response(status)
   if status ~= 201 then refused = refused + 1; wrk.thread:set("refused", refused) end
end
