-- SPDX-License-Identifier: Apache-2.0
-- wrk: looks one report up by its ID, given as the first argument behind "--".
function init(args)
   wrk.method = "POST"
   wrk.body = '{"id": "' .. args[1] .. '"}'
   wrk.headers["Content-Type"] = "application/json"
   wrk.headers["Accept"] = "application/json"
end
