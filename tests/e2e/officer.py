# SPDX-License-Identifier: Apache-2.0
"""An officer at the core's pages, by plain HTTP as a browser without scripts sends it."""

import http.cookiejar
import re
import urllib.parse
import urllib.request


class Officer:
    """Signed in as the account made at first start."""

    def __init__(self, product):
        self.staff_url = product.staff_url
        self.opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
            urllib.request.ProxyHandler({}))
        self.page = self.get("/login")
        name, password = (product.state / "core/first-password").read_text().split()
        self.post("/login", name=name, password=password)

    def send(self, asked):
        with self.opener.open(asked, timeout=60) as answer:
            self.path = urllib.parse.urlparse(answer.url).path
            self.page = answer.read().decode()
            return self.page

    def get(self, path):
        return self.send(urllib.parse.urljoin(self.staff_url, path))

    def post(self, path, **fields):
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', self.page))
        return self.send(urllib.request.Request(
            urllib.parse.urljoin(self.staff_url, path),
            data=urllib.parse.urlencode({**hidden, **fields}).encode(),
            headers={"Origin": self.staff_url}))

    def tickets(self):
        """Paths of the tickets on the first page, newest first."""
        return re.findall(r'href="(/t/[^"?]+)', self.get("/"))

    def photo(self, path):
        with self.opener.open(urllib.parse.urljoin(self.staff_url, path), timeout=60) as answer:
            return answer.headers["Content-Type"], answer.read()

    def change(self, ticket, state, agency="", answer=""):
        self.get(ticket)
        return self.post(f"{ticket}/state", to=state, agency=agency, answer=answer)
