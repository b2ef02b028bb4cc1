//! Debian's Postfix with a configuration, queue and certificate of its own: it keeps what is for its domain in a
//! maildir, and hands everything else to us, signed in over TLS.

use super::{Program, files, open_folder, program, wait_until_open};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};

/// The domain whose mail it keeps.
pub const DOMAIN: &str = "postfix.example";
/// Master leaves our session, so nothing that ends this shell reaches it; the shell passes it on.
const KEEP: &str = "trap 'kill $(cat queue/pid/master.pid)' TERM INT; \
    PATH=$PATH:/usr/sbin:/sbin postfix -c \"$PWD/conf\" start-fg & { wait; wait; } 2>/dev/null";
const SERVICES: &str = "\
    pickup unix n - n 60 1 pickup\ncleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\n\
    tlsmgr unix - - n 1000? 1 tlsmgr\nrewrite unix - - n - - trivial-rewrite\nbounce unix - - n - 0 bounce\n\
    defer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\nproxymap unix - - n - - proxymap\n\
    smtp unix - - n - - smtp\nerror unix - - n - - error\nretry unix - - n - - error\nvirtual unix - n n - - virtual\n\
    anvil unix - - n - 1 anvil\nscache unix - - n - 1 scache\npostlog unix-dgram n - n - 1 postlogd\n";

/// Where mail goes that is not its own.
pub struct Upstream<'a> {
    pub port: u16,
    pub login: &'a str,
    pub secret: &'a str,
}

pub struct Postfix {
    folder: tempfile::TempDir,
    _program: Program,
}

impl Postfix {
    pub fn start(ip: &str, port: u16, upstream: Option<&Upstream<'_>>) -> Postfix {
        program("postfix", "postfix");
        let folder = open_folder();
        let is_root = fs::metadata(folder.path()).unwrap().uid() == 0;
        assert!(is_root, "Postfix starts as root only: run these tests as root");
        configure(folder.path(), ip, port, upstream);
        let keeper = Program::start(folder.path(), &["sh", "-c", KEEP]);
        wait_until_open(format!("{ip}:{port}").parse().unwrap(), folder.path());
        Postfix { folder, _program: keeper }
    }

    /// What is in the mailbox.
    pub fn kept(&self) -> Vec<Vec<u8>> {
        files(&self.folder.path().join("mail/box/new"), "")
    }

    /// What it wrote down.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Hands a letter to its `sendmail`.
    pub fn sendmail(&self, from: &str, to: &[String], letter: &str) {
        fs::write(self.folder.path().join("letter"), letter).unwrap();
        let mut sendmail = Command::new(program("sendmail", "postfix"));
        sendmail.arg("-C").arg(self.folder.path().join("conf")).args(["-i", "-f", from, "--"]).args(to);
        let letter = fs::File::open(self.folder.path().join("letter")).unwrap();
        let output = sendmail.stdin(letter).stdout(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn configure(folder: &Path, ip: &str, port: u16, upstream: Option<&Upstream<'_>>) {
    for part in ["conf", "queue", "data", "mail"] {
        fs::create_dir_all(folder.join(part)).unwrap();
        fs::set_permissions(folder.join(part), fs::Permissions::from_mode(0o755)).unwrap();
    }
    // Postfix wants its folder to belong to root, and to nobody else to write there.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    let (owner, nobody) = (id("postfix"), id("nobody"));
    chown(folder.join("data"), Some(owner), None).unwrap();
    chown(folder.join("mail"), Some(nobody), None).unwrap();
    let made = rcgen::generate_simple_self_signed(["mx.postfix.example".to_owned()]).unwrap();
    fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    fs::set_permissions(folder.join("key.pem"), fs::Permissions::from_mode(0o600)).unwrap();
    let at = folder.display();
    let main = format!(
        "compatibility_level = 3.6\nqueue_directory = {at}/queue\ndata_directory = {at}/data\nmail_owner = postfix\n\
         command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\nsetgid_group = postdrop\n\
         myhostname = mx.postfix.example\nmydestination =\nmynetworks =\ninet_interfaces = 127.0.0.1\n\
         inet_protocols = ipv4\nlocal_recipient_maps =\nalias_maps =\nalias_database =\ndisable_dns_lookups = yes\n\
         smtpd_relay_restrictions = reject_unauth_destination\nsmtpd_peername_lookup = no\n\
         virtual_mailbox_domains = {DOMAIN}\nvirtual_mailbox_base = {at}/mail\nvirtual_mailbox_maps = static:box/\n\
         virtual_uid_maps = static:{nobody}\nvirtual_gid_maps = static:{nobody}\n\
         smtpd_tls_security_level = may\nsmtpd_tls_cert_file = {at}/cert.pem\nsmtpd_tls_key_file = {at}/key.pem\n\
         smtpd_tls_received_header = yes\nmaillog_file = {at}/log\nmaillog_file_prefixes = {at}\n{}",
        upstream.map(|upstream| relaying(folder, upstream)).unwrap_or_default()
    );
    fs::write(folder.join("conf/main.cf"), main).unwrap();
    fs::write(folder.join("conf/master.cf"), format!("{ip}:{port} inet n - n - - smtpd\n{SERVICES}")).unwrap();
}

fn relaying(folder: &Path, upstream: &Upstream<'_>) -> String {
    program("../share/doc/libsasl2-modules", "libsasl2-modules");
    let next = format!("[127.0.0.1]:{}", upstream.port);
    let passwords = folder.join("conf/passwords");
    fs::write(&passwords, format!("{next} {}:{}\n", upstream.login, upstream.secret)).unwrap();
    fs::set_permissions(&passwords, fs::Permissions::from_mode(0o600)).unwrap();
    format!(
        "relayhost = {next}\nsmtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = texthash:{}\n\
         smtp_sasl_security_options = noanonymous\nsmtp_tls_security_level = encrypt\n",
        passwords.display()
    )
}

fn id(user: &str) -> u32 {
    let output = Command::new("id").args(["-u", user]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
}
