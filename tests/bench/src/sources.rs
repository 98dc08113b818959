//! What does reading cost? Verify and read of each source's own sample request, as the edge calls them.

use crate::customers;
use crate::report::{Figure, quantile};
use anyhow::{Result, ensure};
use gateway::sources::{Refusal, Request, SOURCES, Sample, Source};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

const TIMES: usize = 5_000;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Reading {
    pub(crate) source: &'static str,
    pub(crate) body_bytes: usize,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

pub(crate) fn run() -> Result<Vec<Reading>> {
    SOURCES.iter().copied().map(measure).collect()
}

fn measure(source: &'static Source) -> Result<Reading> {
    let channel = customers::channel(source.name);
    let request = request(source)?;
    let mut took = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let begun = Instant::now();
        let verified = (source.verify)(black_box(&request), &channel);
        let read = (source.read)(black_box(&request), &channel);
        took.push(u64::try_from(begun.elapsed().as_nanos())?);
        ensure!(verified.is_ok(), "the sample of {} is not genuine", source.name);
        ensure!(read.is_ok_and(|read| !read.signals.is_empty()), "the sample of {} says nothing", source.name);
    }
    took.sort_unstable();
    let us = |share| quantile(&took, share) as f64 / 1e3;
    Ok(Reading { source: source.name, body_bytes: request.body.len(), p50_us: us(0.5), p99_us: us(0.99) })
}

fn request(source: &Source) -> Result<Request> {
    let channel = customers::channel(source.name);
    let said = Sample {
        name: Some("Vera".to_owned()),
        phone: Some("+79035551234".to_owned()),
        email: Some("vera@example.com".to_owned()),
        text: Some("A cottage for four people near the lake, please".to_owned()),
        nonce: "1".to_owned(),
    };
    let now = gateway::clock::Clock::default().now();
    let sample = (source.sample)(&channel, &said, now);
    let mut headers = HeaderMap::new();
    for (name, value) in &sample.headers {
        headers.append(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?);
    }
    let (path, query) = sample.path.split_once('?').unwrap_or((&sample.path, ""));
    let mut request = Request {
        method: sample.method,
        url: format!("{}{}", channel.url, sample.path),
        rest: path.trim_start_matches('/').to_owned(),
        query: query.to_owned(),
        headers,
        body: sample.body.into(),
        documents: std::collections::BTreeMap::new(),
        received_at: now,
    };
    if let Err(Refusal::Needs(needed)) = (source.read)(&request, &channel) {
        let document = document(source)?;
        request.documents = needed.into_iter().map(|one| (one.url, document.clone().into())).collect();
    }
    Ok(request)
}

/// What the provider answers when it is asked for the rest of a request.
fn document(source: &Source) -> Result<Vec<u8>> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/sources");
    Ok(std::fs::read(fixtures.join(source.name).join("document.json"))?)
}

impl Reading {
    pub(crate) fn figures(&self) -> Vec<Figure> {
        vec![Figure::new(format!("verify and read, {} (reach 20)", self.source), self.p50_us, "us")]
    }
}
