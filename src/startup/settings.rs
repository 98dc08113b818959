//! Is the Redis we use set right? Asked for as long as the process runs, and shown as a figure for each setting.

use super::store::Kind;
use crate::config::machine::Store as Configured;
use ledger::redis::settings::{Finding, Watch, Weight, names};
use prometheus::{IntGaugeVec, Opts, Registry};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Keeps asking until `stop`; with the embedded store there is nothing to ask.
pub(super) fn watch(
    kind: &Kind,
    configured: &Configured,
    registry: &Registry,
    stop: &CancellationToken,
) -> prometheus::Result<()> {
    let (Kind::Redis(redis), Configured::Redis { durability, .. }) = (kind, configured) else { return Ok(()) };
    let gauge = gauge(registry)?;
    let (findings, mut found) = watch::channel(Vec::new());
    let asking = Watch { redis: Arc::clone(redis), durability: *durability, findings };
    tokio::spawn(asking.run(stop.clone()));
    tokio::spawn(async move {
        while found.changed().await.is_ok() {
            show(&gauge, &found.borrow_and_update());
        }
    });
    Ok(())
}

/// Every setting has its series from the start.
fn gauge(registry: &Registry) -> prometheus::Result<IntGaugeVec> {
    let help = "Settings of Redis: 0 as it should be, 1 to be changed, 2 leads are at risk.";
    let gauge = IntGaugeVec::new(Opts::new("leadgate_store_setting", help), &["setting"])?;
    registry.register(Box::new(gauge.clone()))?;
    show(&gauge, &[]);
    Ok(gauge)
}

fn show(gauge: &IntGaugeVec, findings: &[Finding]) {
    for setting in names() {
        let weight = findings.iter().find(|finding| finding.setting == setting).map(|finding| finding.weight);
        let figure = match weight {
            None | Some(Weight::Note) => 0,
            Some(Weight::Warn) => 1,
            Some(Weight::Page) => 2,
        };
        gauge.with_label_values(&[setting]).set(figure);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_shows_how_much_it_matters_until_it_is_mended() {
        let gauge = gauge(&Registry::new()).unwrap();
        let of = |setting, weight| Finding { setting, weight, found: String::new(), sentence: String::new() };
        let seen = || ["role", "timeout", "version"].map(|setting| gauge.with_label_values(&[setting]).get());
        assert_eq!(seen(), [0, 0, 0]);
        show(&gauge, &[of("role", Weight::Page), of("timeout", Weight::Warn), of("version", Weight::Note)]);
        assert_eq!(seen(), [2, 1, 0]);
        show(&gauge, &[]);
        assert_eq!(seen(), [0, 0, 0]);
    }
}
