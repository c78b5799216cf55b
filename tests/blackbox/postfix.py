"""A real Postfix, in a directory of its own, on loopback ports of its own.

Besides the ports of every honest relay it has `small`, a plain one that takes messages up to
SMALL_LIMIT. Who has logged in may send to any domain, others to HOME and STRICT only.

Postfix needs root: it runs its parts under several users.
"""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from .honest import HOME, PASSWORD, SIZE_LIMIT, STRICT, USER, HonestRelay
from .process import Child, accepts, wait_until

SMALL_LIMIT = 100_000

_MAIN = """\
compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {dir}/mail.log
maillog_file_prefixes = {dir}
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.{home}
mydomain = {home}
myorigin = {home}
mydestination =
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks =
alias_maps =
alias_database =
biff = no
smtputf8_enable = yes
message_size_limit = {size_limit}
mailbox_size_limit = 0
virtual_mailbox_limit = 0
virtual_mailbox_domains = {home}, {strict}
virtual_mailbox_maps = regexp:{dir}/etc/mailboxes
virtual_mailbox_base = {dir}/mail
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
virtual_transport = virtual
default_transport = virtual
smtpd_tls_cert_file = {cert}
smtpd_tls_key_file = {key}
smtpd_tls_session_cache_database =
smtpd_sasl_type = cyrus
smtpd_sasl_path = smtpd
smtpd_sasl_local_domain = {home}
smtpd_sasl_security_options = noanonymous
smtpd_sasl_tls_security_options = noanonymous
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = reject_unlisted_recipient
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
default_process_limit = 60
default_destination_concurrency_limit = 20
in_flow_delay = 0
# The tests fail on purpose, and often: no delays for clients with many errors.
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1000
queue_run_delay = 5
"""

_MASTER = """\
127.0.0.1:{submission} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
127.0.0.1:{smtps} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
127.0.0.1:{plain} inet n - n - - smtpd
127.0.0.1:{small} inet n - n - - smtpd
  -o message_size_limit={small_limit}
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
scache unix - - n - 1 scache
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
postlog unix-dgram n - n - 1 postlogd
"""

_MAILBOXES = """\
/^known@strict\\.test$/ all/
!/@strict\\.test$/ all/
"""

_SASL = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {dir}/sasldb2
mech_list: PLAIN LOGIN CRAM-MD5
log_level: 0
"""


class Postfix(HonestRelay):
    name = "postfix"
    services = ("submission", "smtps", "plain", "small")
    _master = None

    @staticmethod
    def unavailable():
        if not shutil.which("postfix", path="/usr/sbin:/usr/bin"):
            return "Postfix is not installed"
        if os.geteuid() != 0:
            return "Postfix runs only for root"
        return None

    def start(self, background=False):
        """Foreground: children that end with us. Background: a daemon, ended by stop()."""
        self._write()
        if background:
            self._command("start")
        else:
            self._command("check")
            # Not `postfix start-fg`: it puts a shell between, and the master in another session.
            output = (self.dir / "start.log").open("wb")
            self._master = Child(["/usr/lib/postfix/sbin/master", "-d", "-c", self.dir / "etc"],
                                 stdout=output, stderr=output, orphaned="TERM")
        wait_until(lambda: all(map(accepts, self.ports.values())), what="Postfix to listen")
        return self

    def stop(self):
        if self._master:
            self._master.stop()
        else:
            self._command("stop", check=False)

    def _command(self, *arguments, check=True):
        subprocess.run(["/usr/sbin/postfix", "-c", self.dir / "etc", *arguments], check=check,
                       capture_output=True)

    def log(self):
        return (self.dir / "mail.log").read_text(errors="replace")

    def _write(self):
        owner, mail_owner = pwd.getpwnam("nobody"), pwd.getpwnam("postfix")
        for name in ("etc/sasl", "queue", "data", "mail"):
            (self.dir / name).mkdir(parents=True, exist_ok=True)
        os.chown(self.dir / "data", mail_owner.pw_uid, -1)
        os.chown(self.dir / "mail", owner.pw_uid, owner.pw_gid)
        server = self.authority.good()
        etc = self.dir / "etc"
        (etc / "main.cf").write_text(_MAIN.format(
            dir=self.dir, home=HOME, strict=STRICT, size_limit=SIZE_LIMIT, uid=owner.pw_uid,
            gid=owner.pw_gid, cert=server.cert, key=server.key))
        (etc / "master.cf").write_text(_MASTER.format(small_limit=SMALL_LIMIT, **self.ports))
        (etc / "mailboxes").write_text(_MAILBOXES)
        for table in ("dynamicmaps.cf", "postfix-files"):
            if Path("/etc/postfix", table).exists():
                shutil.copy(Path("/etc/postfix", table), etc / table)
        for folder in ("dynamicmaps.cf.d", "postfix-files.d"):
            (etc / folder).mkdir(exist_ok=True)
        # Debian's Postfix reads it here, whatever cyrus_sasl_config_path says.
        (etc / "sasl" / "smtpd.conf").write_text(_SASL.format(dir=self.dir))
        subprocess.run(["/usr/sbin/saslpasswd2", "-p", "-c", "-f", self.dir / "sasldb2", "-u",
                        HOME, USER.partition("@")[0]], input=PASSWORD.encode(), check=True)
        shutil.chown(self.dir / "sasldb2", "root", mail_owner.pw_gid)
        (self.dir / "sasldb2").chmod(0o640)
