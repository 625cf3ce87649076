-- SPDX-License-Identifier: Apache-2.0
-- wrk: plain GETs of one file.
wrk.method = "GET"
