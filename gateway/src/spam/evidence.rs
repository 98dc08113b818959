//! What does a form tell about who filled it? The fields that captchas and the page's script add.

use lead::entry::Attributes;
use serde_json::Value;

/// Where the captchas put their answers. hCaptcha adds its own also under the name of another.
const PROOFS: [&str; 5] =
    ["altcha", "cf-turnstile-response", "smart-token", "h-captcha-response", "g-recaptcha-response"];

/// Longer than any captcha's answer.
const LONGEST: usize = 8 * 1024;

#[derive(Debug, Default)]
pub(super) struct Evidence {
    proofs: Vec<(String, String)>,
    /// The script could not get an answer for the visitor.
    pub unavailable: bool,
    /// From opening the page to sending the form.
    pub seconds: Option<f64>,
}

impl Evidence {
    /// Takes the proofs out. The time stays: people want to see it too.
    pub(super) fn take(attributes: &mut Attributes) -> Self {
        let mut proofs = Vec::new();
        for name in PROOFS {
            let said = attributes.remove(name).as_ref().and_then(text).map(str::to_owned);
            proofs.extend(said.map(|said| (name.to_owned(), said)));
        }
        let unavailable = attributes.get("captcha").and_then(text) == Some("unavailable");
        if unavailable {
            attributes.remove("captcha");
        }
        let seconds = attributes.get("time_on_page").and_then(text).and_then(|time| time.parse().ok());
        Self { proofs, unavailable, seconds: seconds.filter(|seconds: &f64| seconds.is_finite()) }
    }

    pub(super) fn proof(&self, field: &str) -> Option<&str> {
        let found = self.proofs.iter().find(|(name, _)| name == field);
        found.map(|(_, proof)| proof.as_str()).filter(|proof| proof.len() < LONGEST)
    }
}

/// The first of several: a form that was sent twice from one page may hold the field twice.
fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text.trim()),
        Value::Array(several) => several.first()?.as_str().map(str::trim),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn proofs_are_taken_out_and_everything_else_stays() {
        let mut attributes = json!({
            "altcha": "A", "h-captcha-response": ["H1", "H2"], "g-recaptcha-response": "H1", "captcha": "unavailable",
            "time_on_page": "12.5", "budget": "100"
        });
        let attributes = attributes.as_object_mut().unwrap();
        let evidence = Evidence::take(attributes);
        assert_eq!((evidence.proof("altcha"), evidence.proof("h-captcha-response")), (Some("A"), Some("H1")));
        assert_eq!((evidence.proof("smart-token"), evidence.proof("budget")), (None, None));
        assert_eq!((evidence.unavailable, evidence.seconds), (true, Some(12.5)));
        assert_eq!(serde_json::Value::Object(attributes.clone()), json!({"time_on_page": "12.5", "budget": "100"}));
    }

    #[test]
    fn a_field_that_only_looks_like_ours_is_the_customers() {
        let mut attributes = json!({"captcha": "x7Kd2", "time_on_page": {"s": 1}, "smart-token": {"a": 1}});
        let evidence = Evidence::take(attributes.as_object_mut().unwrap());
        assert_eq!((evidence.unavailable, evidence.seconds, evidence.proof("smart-token")), (false, None, None));
        assert_eq!(attributes["captcha"], "x7Kd2");
    }

    #[test]
    fn a_proof_as_long_as_a_novel_is_none() {
        let mut attributes = json!({"altcha": "A".repeat(LONGEST)});
        assert_eq!(Evidence::take(attributes.as_object_mut().unwrap()).proof("altcha"), None);
    }
}
