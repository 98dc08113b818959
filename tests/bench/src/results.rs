//! What is kept of a run? One JSON file with every figure, and plots of those worth a look.

use crate::accept::{Accept, Footprint};
use crate::deciding::Mix;
use crate::engine::Level;
use crate::latency::Latency;
use crate::machine::Machine;
use crate::plot::{self, Bar};
use crate::report::Figure;
use crate::sources::Reading;
use anyhow::Result;
use serde::Serialize;
use std::path::Path;

#[derive(Debug, Serialize)]
pub(crate) struct Results {
    machine: Machine,
    pub(crate) accept: Option<Accept>,
    pub(crate) footprint: Option<Footprint>,
    pub(crate) latency: Option<Latency>,
    pub(crate) engine: Vec<Level>,
    pub(crate) sources: Vec<Reading>,
    pub(crate) redis: Option<crate::redis::Rows>,
}

impl Results {
    pub(crate) fn new(machine: Machine) -> Self {
        Self {
            machine,
            accept: None,
            footprint: None,
            latency: None,
            engine: Vec::new(),
            sources: Vec::new(),
            redis: None,
        }
    }

    /// The machine itself.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let Machine { processor, cores, load_before, fdatasync_p50_us, .. } = &self.machine;
        vec![
            Figure::new(processor, *cores as f64, "cores"),
            Figure::new("load before the run", *load_before, ""),
            Figure::new("fdatasync, p50", *fdatasync_p50_us as f64, "us"),
        ]
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("results.json"), serde_json::to_string_pretty(self)? + "\n")?;
        std::fs::write(
            folder.join("ratios.svg"),
            plot::bars("Share of the floor's speed (mark: reach)", &self.ratios()),
        )?;
        let strangers: Vec<&Level> = self.engine.iter().filter(|level| level.mix == Mix::Strangers).collect();
        if !strangers.is_empty() {
            let marks: Vec<String> = strangers.iter().map(|level| format!("{} known", level.known_contacts)).collect();
            let costs: Vec<f64> = strangers.iter().map(|level| level.us_per_entry).collect();
            let plot =
                plot::line("Engine: microseconds a lead, by known contacts (reach: 125)", &marks, &costs, Some(125.0));
            std::fs::write(folder.join("engine.svg"), plot)?;
        }
        if let Some(latency) = &self.latency {
            let marks: Vec<String> = (0..=10).map(|tenth| format!("p{}", tenth * 10)).collect();
            let title = "Post to event read at 1,000/s: milliseconds by percentile (reach: p99 at 50)";
            std::fs::write(folder.join("latency.svg"), plot::line(title, &marks, &latency.percentiles_ms, Some(50.0)))?;
        }
        if let Some(redis) = &self.redis {
            redis.write(folder)?;
        }
        Ok(())
    }

    fn ratios(&self) -> Vec<Bar> {
        let accept =
            self.accept.iter().map(|accept| Bar { name: "accept".to_owned(), value: accept.ratio, reach: Some(0.6) });
        let engine = self.engine.iter().map(|level| Bar {
            name: format!("engine, {} known, {:?}", level.known_contacts, level.mix).to_lowercase(),
            value: level.ratio,
            reach: Some(0.6),
        });
        accept.chain(engine).collect()
    }
}
