# SPDX-License-Identifier: Apache-2.0
"""A real Dovecot and a real Postfix for one test session: own configuration, queue, ports and
certificates in a temporary folder, started as root without systemd, nothing of the system's used or
changed. Postfix delivers into Dovecot's Maildirs. Users need no setting up: every local part of a
DOMAINS address is a mailbox with the one PASSWORD; "local+anything" is the same mailbox as "local".

    from mail_servers import certificates, dovecot, postfix  # pytest fixtures, session scope
"""

import contextlib
import http.server
import imaplib
import json
import os
import pathlib
import pwd
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.parse

import pytest

from product import free_port, wait_until

PASSWORD = "rahasia-0000"
DOMAINS = ("kota.test", "example.org")
OWNER = "mail"  # owns the Maildirs; Debian's base system has it
REFUSED = "tolak@example.org"  # 550 by Postfix
DELAYED = "tunda@example.org"  # 451 by Postfix


def local_part(address):
    return address.split("@")[0].split("+")[0]


@contextlib.contextmanager
def public_folder(name):
    """A temporary folder that servers can enter after they gave up root; short, for sockets."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"kanal-{name}-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class Certificates:
    """A throw-away authority and a certificate it signed for localhost and 127.0.0.1."""

    def __init__(self, folder):
        self.folder = folder
        self.ca_file = folder / "ca.pem"
        self.certificate = folder / "localhost.pem"
        self.key = folder / "localhost.key"
        ca_key, request, names = folder / "ca.key", folder / "localhost.csr", folder / "names"
        names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                     "-nodes", "-days", "30", "-subj", "/CN=Throw-away CA", "-keyout", ca_key,
                     "-out", self.ca_file)
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-subj", "/CN=localhost", "-keyout", self.key, "-out", request)
        self.openssl("x509", "-req", "-in", request, "-CA", self.ca_file, "-CAkey", ca_key,
                     "-CAcreateserial", "-days", "30", "-extfile", names, "-out",
                     self.certificate)

    @staticmethod
    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def client_context(self):
        return ssl.create_default_context(cafile=str(self.ca_file))


class TokenServer:
    """Who owns an access token (RFC 7662 for Dovecot), and new ones for refresh tokens (RFC 6749
    for the gateway). Refresh tokens rotate when rotate is set."""

    def __init__(self):
        self.access = {}  # token -> address
        self.refresh = {}  # token -> address
        self.rotate = False
        self.requests = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def answer(self, status, value):
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                owner = server.access.get(query.get("access_token", [""])[0])
                self.answer(*((200, {"email": owner}) if owner else (401, {})))

            def do_POST(self):
                length = int(self.headers["Content-Length"])
                form = urllib.parse.parse_qs(self.rfile.read(length).decode())
                server.requests.append(form)
                self.answer(*server.exchange(form.get("refresh_token", [""])[0]))

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.http.server_address[1]
        self.token_url = f"http://127.0.0.1:{self.port}/token"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def exchange(self, refresh):
        owner = self.refresh.get(refresh)
        if owner is None:
            return 400, {"error": "invalid_grant"}
        answer = {"access_token": f"access-{len(self.requests)}", "expires_in": 3600}
        self.access[answer["access_token"]] = owner
        if self.rotate:
            del self.refresh[refresh]
            answer["refresh_token"] = f"refresh-{len(self.requests)}"
            self.refresh[answer["refresh_token"]] = owner
        return 200, answer

    def stop(self):
        self.http.shutdown()
        self.http.server_close()


DOVECOT_CONF = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{certificates.certificate}
ssl_key = <{certificates.key}
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = no
auth_mechanisms = plain login xoauth2
auth_username_format = %Ln
auth_failure_delay = 0
mail_location = maildir:{folder}/mail/%n
mail_uid = {owner.pw_uid}
mail_gid = {owner.pw_gid}
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 200
mailbox_idle_check_interval = 1 secs
namespace inbox {{
  inbox = yes
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {folder}/oauth2.conf
}}
passdb {{
  driver = static
  mechanisms = plain login
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={owner.pw_uid} gid={owner.pw_gid} home={folder}/mail/%n
}}
service imap-login {{
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
    ssl = yes
  }}
}}
# Refused logins of one test must not slow down the next.
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  unix_listener {folder}/auth {{
    mode = 0666
  }}
}}
"""

OAUTH2_CONF = """
tokeninfo_url = http://127.0.0.1:{port}/who?access_token=
introspection_mode = auth
username_attribute = email
username_format = %Ln
"""


class Dovecot:
    """IMAP on localhost: imaps_port with TLS from the first byte, imap_port with STARTTLS."""

    host = "localhost"
    password = PASSWORD

    def __init__(self, folder, certificates):
        self.folder = folder
        self.certificates = certificates
        self.ca_file = certificates.ca_file
        self.imap_port, self.imaps_port = free_port(), free_port()
        self.owner = pwd.getpwnam(OWNER)
        self.tokens = TokenServer()
        self.auth_socket = folder / "auth"
        self.mail = folder / "mail"
        self.mail.mkdir()
        os.chown(self.mail, self.owner.pw_uid, self.owner.pw_gid)
        self.conf = folder / "dovecot.conf"
        self.conf.write_text(DOVECOT_CONF.format(
            folder=folder, certificates=certificates, owner=self.owner, password=PASSWORD,
            imap_port=self.imap_port, imaps_port=self.imaps_port))
        (folder / "oauth2.conf").write_text(OAUTH2_CONF.format(port=self.tokens.port))
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(["dovecot", "-F", "-c", str(self.conf)],
                                        stdin=subprocess.DEVNULL)
        wait_until(lambda: listens(self.imap_port) and listens(self.imaps_port),
                   "Dovecot listens")

    def stop(self):
        """All of it, open connections too."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.process = None

    def log(self):
        path = self.folder / "dovecot.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def maildir(self, address, mailbox="INBOX"):
        folder = self.mail / local_part(address)
        return folder if mailbox == "INBOX" else folder / f".{mailbox}"

    def deliver(self, address, message, mailbox="INBOX"):
        """Puts bytes into a mailbox as a delivery agent does: whole or not at all."""
        self.deliver_all(address, [message], mailbox)

    def deliver_all(self, address, messages, mailbox="INBOX"):
        folder = self.maildir(address, mailbox)
        for path in (folder, folder / "tmp", folder / "new", folder / "cur"):
            if not path.exists():
                path.mkdir()
                os.chown(path, self.owner.pw_uid, self.owner.pw_gid)
        for message in messages:
            name = f"{time.time_ns()}.{os.urandom(8).hex()}.localhost"
            path = folder / "tmp" / name
            path.write_bytes(message)
            os.chown(path, self.owner.pw_uid, self.owner.pw_gid)
            path.rename(folder / "new" / name)

    @contextlib.contextmanager
    def client(self, address, mailbox=None):
        """imaplib, logged in with TLS, the mailbox selected when one is named."""
        client = imaplib.IMAP4_SSL(self.host, self.imaps_port,
                                   ssl_context=self.certificates.client_context())
        try:
            client.login(address, PASSWORD)
            if mailbox is not None:
                assert client.select(mailbox)[0] == "OK", f"no mailbox {mailbox}"
            yield client
        finally:
            with contextlib.suppress(imaplib.IMAP4.error, OSError):
                client.logout()

    def messages(self, address, mailbox="INBOX"):
        """The raw messages of a mailbox, in order; none when there is no such mailbox."""
        if not self.maildir(address, mailbox).exists():
            return []
        with self.client(address, mailbox) as client:
            found = client.uid("SEARCH", "ALL")[1][0].split()
            return [client.uid("FETCH", uid, "(BODY.PEEK[])")[1][0][1] for uid in found]

    def flags(self, address, mailbox="INBOX"):
        """The flags of each message, in order: [{"\\\\Seen"}, ...]."""
        with self.client(address, mailbox) as client:
            found = client.uid("SEARCH", "ALL")[1][0].split()
            answers = [client.uid("FETCH", uid, "(FLAGS)")[1][0] for uid in found]
            return [{flag.decode() for flag in imaplib.ParseFlags(answer)} for answer in answers]

    def uidvalidity(self, address, mailbox="INBOX"):
        with self.client(address) as client:
            answer = client.status(mailbox, "(UIDVALIDITY)")[1][0]
            return int(answer.rsplit(b" ", 1)[1].rstrip(b")"))

    def change_uidvalidity(self, address, mailbox="INBOX"):
        """Numbers the mailbox anew, as a restore from backup does."""
        old = self.uidvalidity(address, mailbox)
        folder = self.maildir(address, mailbox)
        self.stop()
        uids = folder / "dovecot-uidlist"
        head, *rest = uids.read_text().split("\n")
        fields = [f"V{old + 1}" if field.startswith("V") else field for field in head.split(" ")]
        uids.write_text("\n".join([" ".join(fields), *rest]))
        for index in folder.glob("dovecot.index*"):
            index.unlink()
        self.start()
        assert self.uidvalidity(address, mailbox) != old

    def close(self):
        self.stop()
        self.tokens.stop()


MAIN_CF = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
myhostname = localhost
mydomain = test
myorigin = localhost
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relay_domains =
default_transport = error:nothing leaves this machine
relay_transport = error:nothing leaves this machine
virtual_mailbox_domains = {domains}
virtual_mailbox_maps = static:all
virtual_transport = lda
lda_destination_recipient_limit = 1
message_size_limit = 104857600
alias_maps =
local_recipient_maps =
recipient_delimiter = +
smtpd_recipient_restrictions =
  check_recipient_access regexp:{folder}/refused,
  permit_mynetworks, permit_sasl_authenticated, reject
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject
smtpd_tls_cert_file = {certificates.certificate}
smtpd_tls_key_file = {certificates.key}
smtpd_tls_security_level = may
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_client_message_rate_limit = 0
smtpd_client_recipient_rate_limit = 0
smtpd_sasl_type = dovecot
smtpd_sasl_path = {auth_socket}
"""

MASTER_CF = """
127.0.0.1:{smtp_port} inet n - n - - smtpd
127.0.0.1:{submission_port} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o mynetworks=192.0.2.0/24
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lda unix - n n - 4 pipe
  flags=DRhu user={owner} argv=/usr/lib/dovecot/dovecot-lda -e -c {folder}/lda.conf
  -f ${{sender}} -o mail_location=maildir:{mail}/${{user}}
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


LDA_CONF = """
base_dir = {folder}/run
log_path = /dev/stderr
ssl = no
stats_writer_socket_path =
mail_uid = {owner.pw_uid}
mail_gid = {owner.pw_gid}
first_valid_uid = 1
first_valid_gid = 1
postmaster_address = postmaster@kota.test
"""


class Postfix:
    """SMTP on localhost: smtp_port as an MTA on this machine (no login, STARTTLS offered),
    submission_port only with STARTTLS and a login. Mail for DOMAINS arrives in Dovecot; mail to
    REFUSED gets 550, to DELAYED 451; nothing else leaves."""

    host = "localhost"
    password = PASSWORD

    def __init__(self, folder, dovecot):
        self.folder = folder
        self.certificates = dovecot.certificates
        self.ca_file = dovecot.ca_file
        self.smtp_port, self.submission_port = free_port(), free_port()
        self.conf = folder / "conf"
        for name in ("conf", "queue", "data"):
            (folder / name).mkdir()
        owner = pwd.getpwnam("postfix")
        os.chown(folder / "data", owner.pw_uid, owner.pw_gid)
        (folder / "lda.conf").write_text(LDA_CONF.format(folder=folder, owner=dovecot.owner))
        (folder / "refused").write_text(f"/^{REFUSED}$/ 550 5.1.1 refused for the test\n"
                                        f"/^{DELAYED}$/ 451 4.3.0 delayed for the test\n")
        (self.conf / "main.cf").write_text(MAIN_CF.format(
            folder=folder, domains=", ".join(DOMAINS), certificates=self.certificates,
            auth_socket=dovecot.auth_socket))
        (self.conf / "master.cf").write_text(MASTER_CF.format(
            folder=folder, mail=dovecot.mail, owner=OWNER, smtp_port=self.smtp_port,
            submission_port=self.submission_port))
        self.start()

    def command(self, *arguments):
        return subprocess.run(["postfix", "-c", str(self.conf), *arguments], capture_output=True,
                              text=True, timeout=60)

    def start(self):
        started = self.command("start")
        assert started.returncode == 0, started.stdout + started.stderr + self.log()
        wait_until(lambda: listens(self.smtp_port) and listens(self.submission_port),
                   "Postfix listens")

    def stop(self):
        self.command("stop")

    def log(self):
        path = self.folder / "postfix.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def send(self, sender, recipient, message):
        """As another mail server would: message is bytes or an email.message.Message."""
        with smtplib.SMTP(self.host, self.smtp_port, timeout=60) as client:
            if isinstance(message, bytes):
                client.sendmail(sender, [recipient], message)
            else:
                client.send_message(message, sender, [recipient])


@pytest.fixture(scope="session")
def certificates():
    with public_folder("ca") as folder:
        yield Certificates(folder)


@pytest.fixture(scope="session")
def dovecot(certificates):
    with public_folder("imap") as folder:
        server = Dovecot(folder, certificates)
        yield server
        server.close()


@pytest.fixture(scope="session")
def postfix(dovecot):
    with public_folder("smtp") as folder:
        server = Postfix(folder, dovecot)
        yield server
        server.stop()
