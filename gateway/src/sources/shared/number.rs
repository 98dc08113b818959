//! How is a phone number known that has its country but not the plus?

use lead::text::cut;

const LONGEST: usize = 1024;

/// From a provider that always writes the country. Extensions and names stay as they are.
pub(crate) fn with_country(number: &str) -> String {
    let number = cut(number.trim(), LONGEST);
    let whole = (8..=15).contains(&number.len()) && is_digits(number) && !number.starts_with('0');
    if whole { format!("+{number}") } else { number.to_owned() }
}

/// From one that leaves it to people: eleven digits that begin with 8 are dialled within the country, and what is
/// shorter may be.
pub(crate) fn perhaps_with_country(number: &str) -> String {
    let number = cut(number, LONGEST);
    let within = number.len() < 11 || (number.starts_with('8') && number.len() == 11);
    if within { number.to_owned() } else { with_country(number) }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_number_gets_a_plus() {
        for (said, sure, unsure) in [
            ("74950000001", "+74950000001", "+74950000001"),
            ("380441234567", "+380441234567", "+380441234567"),
            ("861012345678", "+861012345678", "+861012345678"),
            ("88005553535", "+88005553535", "88005553535"),
            ("4951234567", "+4951234567", "4951234567"),
            ("+74950000001", "+74950000001", "+74950000001"),
            ("101", "101", "101"),
            ("2345678", "2345678", "2345678"),
            ("074950000001", "074950000001", "074950000001"),
            ("1234567890123456", "1234567890123456", "1234567890123456"),
            ("sip:anna@pbx.example", "sip:anna@pbx.example", "sip:anna@pbx.example"),
            ("anonymous", "anonymous", "anonymous"),
            ("", "", ""),
        ] {
            assert_eq!((with_country(said).as_str(), perhaps_with_country(said).as_str()), (sure, unsure), "{said}");
        }
        assert_eq!(with_country(" 15550101234 "), "+15550101234");
    }
}
