//! On which machine? Figures mean little without its processors and its disk.

use crate::report::quantile;
use anyhow::Result;
use serde::Serialize;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_mib: u64,
    /// Waiting or running tasks over the last minute, before anything was measured.
    pub(crate) load_before: f64,
    pub(crate) fdatasync_p50_us: u64,
    pub(crate) fdatasync_p99_us: u64,
}

impl Machine {
    /// Looks, and syncs 4 KiB three hundred times in `folder`.
    pub(crate) fn look(folder: &Path) -> Result<Self> {
        let syncs = syncs(folder)?;
        Ok(Self {
            processor: line("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_mib: kib("/proc/meminfo", "MemTotal") / 1024,
            load_before: load(),
            fdatasync_p50_us: quantile(&syncs, 0.5),
            fdatasync_p99_us: quantile(&syncs, 0.99),
        })
    }
}

fn syncs(folder: &Path) -> Result<Vec<u64>> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join("sync");
    let mut file = std::fs::File::create(&path)?;
    let mut took = Vec::new();
    for _ in 0..300 {
        file.write_all(&[7; 4096])?;
        let begun = Instant::now();
        file.sync_data()?;
        took.push(u64::try_from(begun.elapsed().as_micros())?);
    }
    std::fs::remove_file(&path)?;
    took.sort_unstable();
    Ok(took)
}

fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|one| one.parse().ok()).unwrap_or(0.0)
}

/// The value of a `key: value` line of a file in `/proc`.
fn line(file: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let found = text.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| name.trim() == key);
    found.map(|(_, value)| value.trim().to_owned())
}

fn kib(file: &str, key: &str) -> u64 {
    line(file, key).and_then(|value| value.split(' ').next()?.parse().ok()).unwrap_or(0)
}

/// Processor time a process has used so far, in microseconds: what other work on the machine does not change.
pub(crate) fn processor_us(process: &str) -> f64 {
    const PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name in the second field may hold spaces; it ends with the last bracket.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / PER_SECOND * 1e6
}

/// The memory of a process in MiB: `VmRSS` now, `VmHWM` at its highest.
pub(crate) fn memory_mib(process: u32, key: &str) -> f64 {
    kib(&format!("/proc/{process}/status"), key) as f64 / 1024.0
}
