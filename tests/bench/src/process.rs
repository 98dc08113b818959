//! How are servers started and ended? Each is a process of its own, on a free port of loopback, in a folder of its own.

use crate::client::Client;
use anyhow::{Context as _, Result, ensure};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server; killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) public: SocketAddr,
    /// None: it has no desk.
    pub(crate) desk: Option<SocketAddr>,
    /// From the start of the process to its first good answer.
    pub(crate) ready_after: Duration,
}

impl Process {
    /// The product as a newcomer starts it, with the built-in demo. Two settings differ: where it listens, and the
    /// limit of one channel, which would otherwise be what is measured.
    pub(crate) async fn leadgate(binary: &Path, folder: &Path) -> Result<Self> {
        let (public, desk) = (free_port()?, free_port()?);
        std::fs::create_dir_all(folder)?;
        let mut command = Command::new(binary);
        command.current_dir(folder).env("LEADGATE__GATEWAY__LISTEN", public.to_string());
        command.env("LEADGATE__DESK__LISTEN", desk.to_string());
        command.env("LEADGATE__LIMITS__PER_CHANNEL", "1000000/s burst 1000000");
        Self::start(command, public, Some(desk), (desk, "/ready")).await
    }

    /// One half of the product, by the configuration in `folder`. Of the workers the desk is where they are probed.
    pub(crate) async fn half(role: &str, folder: &Path) -> Result<Self> {
        let (public, desk) = (free_port()?, free_port()?);
        let mut command = Command::new(product()?);
        command.current_dir(folder).args(["run", "--role", role]);
        command.env("LEADGATE__GATEWAY__LISTEN", public.to_string());
        let key = if role == "workers" { "LEADGATE__WORKERS__LISTEN" } else { "LEADGATE__DESK__LISTEN" };
        command.env(key, desk.to_string());
        Self::start(command, public, Some(desk), (desk, "/ready")).await
    }

    /// A bare server that writes to `target`: a folder, or the address of a Redis.
    pub(crate) async fn floor(target: impl AsRef<std::ffi::OsStr>) -> Result<Self> {
        let public = free_port()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("floor").arg(public.to_string()).arg(target);
        Self::start(command, public, None, (public, "/")).await
    }

    async fn start(
        mut command: Command,
        public: SocketAddr,
        desk: Option<SocketAddr>,
        (ask, path): (SocketAddr, &str),
    ) -> Result<Self> {
        let begun = Instant::now();
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("failed to start a server")?;
        let mut process = Self { child, public, desk, ready_after: Duration::ZERO };
        while !answers(ask, path).await {
            ensure!(begun.elapsed() < Duration::from_secs(20), "the server was not ready within 20 s");
            ensure!(process.child.try_wait()?.is_none(), "the server ended at once");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        process.ready_after = begun.elapsed();
        Ok(process)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The sum over all series of a metric, by the product's own count.
    pub(crate) async fn metric(&self, name: &str) -> Result<f64> {
        let desk = self.desk.context("the product has a desk")?;
        let (_, page) = Client::connect(desk).await?.get("/metrics").await?;
        let page = String::from_utf8_lossy(&page);
        let series = page.lines().filter_map(|line| line.strip_prefix(name));
        let series = series.filter(|rest| rest.starts_with(['{', ' ']));
        // A sum of nothing would be -0.
        Ok(series.filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok()).fold(0.0, |sum, one| sum + one))
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) async fn stop(mut self) -> Result<()> {
        terminate(&mut self.child).await
    }
}

/// Asks a process to stop, and waits until it has.
pub(crate) async fn terminate(child: &mut Child) -> Result<()> {
    let id = rustix::process::Pid::from_raw(i32::try_from(child.id())?).context("a process has an id above zero")?;
    rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
    let begun = Instant::now();
    while child.try_wait()?.is_none() {
        ensure!(begun.elapsed() < Duration::from_secs(60), "the server did not stop within a minute");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn answers(address: SocketAddr, path: &str) -> bool {
    let ask = async { Client::connect(address).await.ok()?.get(path).await.ok() };
    matches!(tokio::time::timeout(Duration::from_secs(1), ask).await, Ok(Some((200, _))))
}

pub(crate) fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// The release binary beside this program.
pub(crate) fn product() -> Result<PathBuf> {
    let beside = std::env::current_exe()?.with_file_name("leadgate");
    ensure!(beside.exists(), "there is no leadgate beside this program; build both with --release");
    Ok(beside)
}
