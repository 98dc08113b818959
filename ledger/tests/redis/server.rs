//! A Redis of a test's own: on a socket in a folder of its own, gone with it.

use ledger::redis::Address;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Of the user of `deploy/redis.acl`.
pub(crate) const PASSWORD: &str = "a-password-of-some-length";
const PASSWORD_SHA256: &str = "c81da1328de5b88fd005b02a9cbf7fff85c0d371cb14d14f8a91bca98278f6c1";

pub(crate) struct Server {
    process: Child,
    folder: tempfile::TempDir,
    /// The user and password it wants, if it wants any.
    credentials: Option<(&'static str, &'static str)>,
}

impl Server {
    /// As little as possible is set, and then `more`.
    pub(crate) fn start(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::run(folder, Command::new("redis-server").args(["--save", ""]).args(more), None)
    }

    /// As the files in `deploy` set it, with the user they make.
    pub(crate) fn deployed(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
        let users = fs::read_to_string(deploy.join("redis.acl")).unwrap();
        fs::write(folder.path().join("users"), users.replace("PASSWORD_SHA256", PASSWORD_SHA256)).unwrap();
        let settings = fs::read_to_string(deploy.join("redis.conf")).unwrap();
        let users = folder.path().join("users").display().to_string();
        let settings = settings.replace("/etc/redis/leadgate.acl", &users);
        assert!(settings.contains(&users), "redis.conf includes the users");
        let file = folder.path().join("redis.conf");
        fs::write(&file, settings).unwrap();
        Self::run(folder, Command::new("redis-server").arg(file).args(more), Some(("leadgate", PASSWORD)))
    }

    fn run(
        folder: tempfile::TempDir,
        command: &mut Command,
        credentials: Option<(&'static str, &'static str)>,
    ) -> Self {
        let socket = folder.path().join("socket");
        let command = command.args(["--port", "0", "--unixsocket"]).arg(&socket).arg("--dir").arg(folder.path());
        let process = command.stdout(Stdio::null()).spawn().expect("redis-server is installed");
        let server = Self { process, folder, credentials };
        for _ in 0..500 {
            if std::os::unix::net::UnixStream::connect(&socket).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("redis-server does not come up");
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// What an administrator does to a server that lets everybody in.
    pub(crate) fn order(&self, words: &[&str]) -> String {
        let told = Command::new("redis-cli").arg("-s").arg(self.socket()).args(words).output().unwrap();
        String::from_utf8(told.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn address(&self) -> Address {
        self.address_of(self.credentials)
    }

    pub(crate) fn address_of(&self, credentials: Option<(&str, &str)>) -> Address {
        let query = credentials.map_or(String::new(), |(user, password)| format!("?user={user}&pass={password}"));
        Address::parse(&format!("redis+unix://{}{query}", self.socket().display()), None).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
