//! What does a captcha's service say of a visitor's answer? Which field holds it, how the service is asked, and how its
//! verdict reads.
//!
//! Only a verdict about the answer makes a post junk: a wrong secret or an error of the service's is not the visitor's.
//!
//! Facts: Cloudflare "Validate the token" and its table of error codes; hCaptcha "Verify the User Response Server Side"
//! and "Siteverify Error Codes"; Yandex Cloud "Verifying the CAPTCHA response" (May 2026; before, the host was
//! `smartcaptcha.yandexcloud.net`).

use bytes::Bytes;
use serde::Deserialize;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Turnstile,
    SmartCaptcha,
    HCaptcha,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    Person,
    Machine,
    /// No verdict, and why.
    Nothing(&'static str),
}

impl Service {
    pub(super) fn named(word: &str) -> Option<Self> {
        match word {
            "turnstile" => Some(Self::Turnstile),
            "smartcaptcha" => Some(Self::SmartCaptcha),
            "hcaptcha" => Some(Self::HCaptcha),
            _ => None,
        }
    }

    /// Where the service's widget puts the answer.
    pub(super) const fn field(self) -> &'static str {
        match self {
            Self::Turnstile => "cf-turnstile-response",
            Self::SmartCaptcha => "smart-token",
            Self::HCaptcha => "h-captcha-response",
        }
    }

    pub(super) const fn url(self) -> &'static str {
        match self {
            Self::Turnstile => "https://challenges.cloudflare.com/turnstile/v0/siteverify",
            Self::SmartCaptcha => "https://smartcaptcha.cloud.yandex.ru/validate",
            Self::HCaptcha => "https://api.hcaptcha.com/siteverify",
        }
    }

    /// What is posted there. The visitor's address is not told: it is his, and no service requires it.
    pub(super) fn question(self, secret: &str, token: &str) -> String {
        let name = if self == Self::SmartCaptcha { "token" } else { "response" };
        form_urlencoded::Serializer::new(String::new()).append_pair("secret", secret).append_pair(name, token).finish()
    }

    pub(super) fn read(self, answer: &Bytes) -> Said {
        let said = match self {
            Self::SmartCaptcha => serde_json::from_slice(answer).map(|said: Status| said.verdict()),
            Self::Turnstile | Self::HCaptcha => serde_json::from_slice(answer).map(|said: Success| said.verdict()),
        };
        said.unwrap_or(Said::Nothing("its answer cannot be read"))
    }
}

#[derive(Deserialize)]
struct Success {
    success: bool,
    #[serde(default, rename = "error-codes")]
    codes: Vec<String>,
}

impl Success {
    fn verdict(self) -> Said {
        let ours = |code: &String| !code.contains("response") && code != "timeout-or-duplicate";
        match self.success {
            true => Said::Person,
            false if self.codes.iter().any(ours) => Said::Nothing("it finds a mistake in our question or its own"),
            false => Said::Machine,
        }
    }
}

#[derive(Deserialize)]
struct Status {
    status: String,
    #[serde(default)]
    message: String,
}

impl Status {
    fn verdict(self) -> Said {
        match self.status.as_str() {
            "ok" => Said::Person,
            "failed" if self.message.to_ascii_lowercase().contains("secret") => Said::Nothing("it refuses our secret"),
            "failed" => Said::Machine,
            _ => Said::Nothing("its answer cannot be read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICES: [&str; 3] = ["turnstile", "smartcaptcha", "hcaptcha"];

    #[test]
    fn only_a_verdict_about_the_answer_is_a_verdict_about_the_visitor() {
        let (mistake, unreadable) = ("it finds a mistake in our question or its own", "its answer cannot be read");
        for (service, answer, expected) in [
            ("turnstile", r#"{"success":true,"error-codes":[],"hostname":"shop.example"}"#, Said::Person),
            ("turnstile", r#"{"success":false,"error-codes":["invalid-input-response"]}"#, Said::Machine),
            ("turnstile", r#"{"success":false,"error-codes":["timeout-or-duplicate"]}"#, Said::Machine),
            ("turnstile", r#"{"success":false,"error-codes":["invalid-input-secret"]}"#, Said::Nothing(mistake)),
            ("turnstile", r#"{"success":false,"error-codes":["internal-error"]}"#, Said::Nothing(mistake)),
            ("turnstile", "<html>", Said::Nothing(unreadable)),
            ("turnstile", r#"{"status":"ok"}"#, Said::Nothing(unreadable)),
            ("hcaptcha", r#"{"success":true}"#, Said::Person),
            ("hcaptcha", r#"{"success":false,"error-codes":["invalid-or-already-seen-response"]}"#, Said::Machine),
            ("hcaptcha", r#"{"success":false,"error-codes":["expired-input-response"]}"#, Said::Machine),
            ("hcaptcha", r#"{"success":false,"error-codes":["sitekey-secret-mismatch"]}"#, Said::Nothing(mistake)),
            ("hcaptcha", r#"{"success":false}"#, Said::Machine),
            ("smartcaptcha", r#"{"status":"ok","message":"","host":"shop.example"}"#, Said::Person),
            ("smartcaptcha", r#"{"status":"failed","message":"Invalid or expired Token."}"#, Said::Machine),
            ("smartcaptcha", r#"{"status":"failed","message":""}"#, Said::Machine),
            (
                "smartcaptcha",
                r#"{"status":"failed","message":"Authentication failed. Invalid secret."}"#,
                Said::Nothing("it refuses our secret"),
            ),
            ("smartcaptcha", "", Said::Nothing(unreadable)),
        ] {
            let found = Service::named(service).unwrap().read(&Bytes::from(answer));
            assert_eq!(found, expected, "{service} {answer}");
        }
    }

    #[test]
    fn a_service_is_asked_over_https_with_the_secret_and_the_answer_escaped() {
        for name in SERVICES {
            let service = Service::named(name).unwrap();
            assert!(service.url().starts_with("https://"), "{name}");
            let asked = service.question("s&1", "a=b");
            assert!(asked.starts_with("secret=s%261&") && asked.ends_with("=a%3Db"), "{asked}");
        }
        assert_eq!((Service::named("altcha"), Service::named("off")), (None, None));
    }
}
