/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether text is a URL Kanal will talk to or print in a link (RFC 3986, the part we accept): http
 * or https, a host, an optional port, path and query. No user, no fragment, nothing to be decoded.
 */
#ifndef KANAL_CONFIG_URL_H
#define KANAL_CONFIG_URL_H

/* NULL when it is one, else what is wrong with it; static. */
const char *url_problem(const char *text);

#endif
