//! Which number does a person mean by `8 (912) 345-67-89 доб. 12`?
//!
//! Numbers follow the rules of libphonenumber, dialled from the workspace's country. What cannot be a number is kept
//! as text with a flag; nobody's lead is lost over a typo.

use rlibphonenumber::phonenumber_matcher::{FindNumberExt, Leniency};
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, PhoneNumberType};
use std::panic::{AssertUnwindSafe, catch_unwind};
use unicode_normalization::UnicodeNormalization;

pub use rlibphonenumber::enums::Region;

/// Longer than any way to write two numbers with extensions; the rest is cut.
const LONGEST: usize = 64;
/// Bytes of a text that are searched for numbers.
pub const SEARCHED: usize = 4 * 1024;
/// Digits of an extension behind a pause; more are a number of their own.
const MOST_EXTENSION: usize = 6;
/// Numbers taken from one field or text.
const MOST: usize = 4;

/// A number as understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// E.164, `+79161234567`; the text itself when it is not a number.
    pub number: String,
    pub extension: Option<String>,
    pub valid: bool,
    /// Premium rate, short, satellite: kept, never called by a machine.
    pub costly: bool,
}

/// Reads a field that means "phone". Several numbers in one field are all found; an unreadable text comes back as one
/// invalid entry.
pub fn parse(text: &str, region: Region) -> Vec<Found> {
    let clean = clean(text);
    if clean.is_empty() {
        return Vec::new();
    }
    if let Some(one) = whole(&clean, region) {
        return vec![one];
    }
    let several = in_text(&clean, region);
    if several.is_empty() {
        vec![Found { number: clean, extension: None, valid: false, costly: false }]
    } else {
        several
    }
}

/// Numbers in running text, as far as [`SEARCHED`].
pub fn in_text(text: &str, region: Region) -> Vec<Found> {
    catch_unwind(AssertUnwindSafe(|| search(text, region))).unwrap_or_default()
}

fn search(text: &str, region: Region) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let text = crate::text::cut(text, SEARCHED);
    // The length bounds the work: the matcher's own count of tries underflows when it runs out.
    let matcher = text.phone_number_matcher_builder().leniency(Leniency::Valid).preferred_region(region).build();
    for hit in matcher {
        let one = understood(&hit.number);
        if !found.iter().any(|known| known.number == one.number) {
            found.push(one);
        }
        if found.len() == MOST {
            break;
        }
    }
    found
}

/// The country a valid number belongs to, `RU`.
pub fn country(e164: &str) -> Option<String> {
    let number = read(e164, None)?;
    PHONE_NUMBER_UTIL.get_region_for_number(&number).map(|region| region.to_string())
}

/// The country of an ISO code in capitals, if it has a numbering plan.
pub fn region(code: &str) -> Option<Region> {
    let shape = code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    let region = if shape { Region::from_code(code).ok()? } else { return None };
    PHONE_NUMBER_UTIL.get_country_code_for_region(region).map(|_| region)
}

/// Loads the numbering plans, which takes some 20 ms, before the first customer waits for it.
pub fn warm() {
    let _ = parse("+74950000000", Region::RU);
}

/// The library slips on some texts that are no numbers at all; then it has read none.
fn read(text: &str, region: Option<Region>) -> Option<PhoneNumber> {
    catch_unwind(AssertUnwindSafe(|| PHONE_NUMBER_UTIL.parse(text, region).ok())).ok()?
}

fn whole(text: &str, region: Region) -> Option<Found> {
    let number = read(text, Some(region))?;
    if PHONE_NUMBER_UTIL.is_valid_number(&number) {
        return Some(understood(&number));
    }
    // Providers drop the plus: `74951234567` is a whole number everywhere, not a local one.
    let digits = text.bytes().all(|b| b.is_ascii_digit()) && (11..=15).contains(&text.len());
    let abroad = zeros_for_plus(text).or_else(|| digits.then(|| format!("+{text}")))?;
    let number = read(&abroad, None)?;
    PHONE_NUMBER_UTIL.is_valid_number(&number).then(|| understood(&number))
}

/// People write `00` for the plus, also where another prefix is dialled. Asked only about what is no number of the
/// country, of which there may be some that begin so.
fn zeros_for_plus(text: &str) -> Option<String> {
    let zero = |c: char| matches!(c, '0' | '٠' | '۰');
    let rest = text.strip_prefix(zero)?.strip_prefix(zero)?;
    Some(format!("+{}", rest.trim_start_matches([' ', '-', '.'])))
}

fn understood(number: &PhoneNumber) -> Found {
    let kind = PHONE_NUMBER_UTIL.get_number_type(number);
    Found {
        number: PHONE_NUMBER_UTIL.format(number, PhoneNumberFormat::E164).into_owned(),
        extension: number.extension.clone().filter(|ext| !ext.is_empty()),
        valid: true,
        costly: matches!(kind, PhoneNumberType::PremiumRate | PhoneNumberType::SharedCost)
            || matches!(number.country_code, 881 | 882),
    }
}

/// Compatibility forms folded, `tel:` dropped, length bounded. `+79991234567,,,123#` ends at the pause, and so do
/// `…p123`, `…w123` and `…*123#`.
fn clean(text: &str) -> String {
    let folded: String = text.nfkc().filter(|c| !c.is_control()).take(LONGEST).collect();
    let trimmed = folded.trim();
    let bare = trimmed.strip_prefix("tel:").or_else(|| trimmed.strip_prefix("TEL:")).unwrap_or(trimmed);
    // Of what RFC 3966 lets stand behind a number only the extension is worth anything.
    let (bare, parameters) = bare.split_once(';').unwrap_or((bare, ""));
    if let Some(extension) = parameters.split(';').find_map(|one| one.strip_prefix("ext=")) {
        return format!("{} ext. {extension}", bare.trim());
    }
    let whole = |number: &str| number.bytes().filter(u8::is_ascii_digit).count() >= 7;
    match bare.split_once(",,").or_else(|| paused(bare)) {
        Some((number, pause)) if whole(number) => {
            let extension: String = pause.chars().filter(char::is_ascii_digit).collect();
            if extension.is_empty() { number.to_owned() } else { format!("{number} ext. {extension}") }
        }
        _ => bare.to_owned(),
    }
}

/// What dialling writes between a number and its extension: `p` pauses, `w` waits, `*` speaks to the machine there. Only
/// few digits may follow: these are letters of words, too, and the star is found between numbers.
fn paused(text: &str) -> Option<(&str, &str)> {
    const PAUSES: [char; 8] = ['p', 'P', 'w', 'W', '*', ',', '#', ' '];
    let (number, pause) = text.split_at(text.find(&PAUSES[..5])?);
    let extension = pause.trim_matches(PAUSES);
    let short = (1..=MOST_EXTENSION).contains(&extension.len());
    (short && extension.bytes().all(|byte| byte.is_ascii_digit())).then_some((number, extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str, region: Region) -> Vec<String> {
        parse(text, region)
            .into_iter()
            .map(|found| if found.valid { found.number } else { format!("?{}", found.number) })
            .collect()
    }

    #[test]
    fn every_spelling_of_one_russian_mobile_is_one_number() {
        for spelling in [
            "8 (912) 345-67-89",
            "+7 912 345 67 89",
            "+79123456789",
            "79123456789",
            "9123456789",
            "8-912-345-67-89",
            "tel:+7-912-345-67-89",
            "+7(912)3456789",
            "＋７９１２３４５６７８９",
            "٧٩١٢٣٤٥٦٧٨٩",
            "٠٠٧٩١٢٣٤٥٦٧٨٩",
            "0079123456789",
            "00 7 912 345-67-89",
            "007(912)345-67-89",
            "00-7-912-345-67-89",
            "tel:0079123456789",
            "8*912*345*67*89",
            " +7\u{a0}912\u{a0}345-67-89 ",
            "+7 912 345-67-89 (Иван)",
        ] {
            assert_eq!(numbers(spelling, Region::RU), ["+79123456789"], "{spelling}");
        }
    }

    #[test]
    fn an_extension_is_split_and_kept() {
        for (spelling, extension) in [
            ("+7 495 123-45-67 доб. 123", "123"),
            ("+74951234567,,,123#", "123"),
            ("8(495)123-45-67 ext 5", "5"),
            ("+74951234567p123", "123"),
            ("+7 495 123-45-67 P 123", "123"),
            ("84951234567w12#", "12"),
            ("+74951234567pp,123#", "123"),
            ("+7 (495) 123-45-67*123#", "123"),
            ("tel:+7-495-123-45-67*5", "5"),
            ("007 495 123-45-67 доб. 7", "7"),
            ("00 7 495 123-45-67w7", "7"),
        ] {
            let found = parse(spelling, Region::RU);
            assert_eq!(found[0].number, "+74951234567", "{spelling}");
            assert_eq!(found[0].extension.as_deref(), Some(extension), "{spelling}");
        }
    }

    #[test]
    fn letters_and_stars_beside_numbers_are_no_pauses() {
        for (spelling, found) in [
            ("+7 912 345-67-89 whatsapp", vec!["+79123456789"]),
            ("89123456789*89161112233", vec!["+79123456789", "+79161112233"]),
            ("8 912 345-67-89 * 8 916 111-22-33", vec!["+79123456789", "+79161112233"]),
            ("whatsapp +79123456789", vec!["+79123456789"]),
            ("+7 912 345-67-89 w", vec!["+79123456789"]),
        ] {
            assert_eq!(numbers(spelling, Region::RU), found, "{spelling}");
            let extensions = parse(spelling, Region::RU).into_iter().filter_map(|found| found.extension).count();
            assert_eq!(extensions, 0, "{spelling}");
        }
    }

    #[test]
    fn two_zeros_are_a_plus_in_every_country() {
        for region in [Region::RU, Region::KZ, Region::DE, Region::US] {
            for (spelling, number) in [
                ("0049 30 901820", "+4930901820"),
                ("00 7 912 345-67-89", "+79123456789"),
                ("00390612345678", "+390612345678"),
            ] {
                assert_eq!(numbers(spelling, region), [number], "{spelling} in {region}");
            }
        }
        for wrong in ["00", "00 8 912", "000 7 912 345-67-89", "0 0 7"] {
            assert_eq!(numbers(wrong, Region::RU), [format!("?{wrong}")]);
        }
    }

    #[test]
    fn two_numbers_in_a_field_are_both_found() {
        assert_eq!(numbers("+7 912 345-67-89, +7 916 111-22-33", Region::RU), ["+79123456789", "+79161112233"]);
        assert_eq!(numbers("8 912 345-67-89 или 8 916 111-22-33", Region::RU), ["+79123456789", "+79161112233"]);
    }

    #[test]
    fn the_country_decides_how_a_local_number_is_read() {
        assert_eq!(numbers("7011234567", Region::KZ), ["+77011234567"]);
        assert_eq!(numbers("8-800-555-35-35", Region::RU), ["+78005553535"]);
        assert_eq!(numbers("(415) 555-2671", Region::US), ["+14155552671"]);
        assert_eq!(country("+77011234567").as_deref(), Some("KZ"));
        assert_eq!(country("+79123456789").as_deref(), Some("RU"));
    }

    #[test]
    fn what_is_no_number_is_kept_as_text() {
        assert_eq!(numbers("8 (9I2) 3O5", Region::RU), ["?8 (9I2) 3O5"]);
        assert_eq!(numbers("Unavailable", Region::RU), ["?Unavailable"]);
        assert_eq!(numbers("  ", Region::RU), [""; 0]);
        let long = parse(&"9".repeat(1_000_000), Region::RU);
        assert!(!long[0].valid && long[0].number.len() <= 64);
    }

    #[test]
    fn what_stands_behind_a_number_in_a_link_does_no_harm() {
        for (spelling, found) in [
            ("+79035550142;phone-context=+7;tel:", "+79035550142"),
            ("tel:9035550142;phone-context=+7", "+79035550142"),
            ("1;phone-context=+7;tel:", "?1"),
            (";phone-context=+7;tel:", ""),
            ("tel:+7-903-555-01-42;isub=1", "+79035550142"),
        ] {
            assert_eq!(numbers(spelling, Region::RU).join(","), found, "{spelling}");
        }
        let extended = parse("tel:+7-495-123-45-67;ext=12", Region::RU);
        assert_eq!((&*extended[0].number, extended[0].extension.as_deref()), ("+74951234567", Some("12")));
        assert_eq!(in_text("call 1;phone-context=+7;tel: or +7 903 555-01-42;phone-context=x", Region::RU).len(), 1);
    }

    #[test]
    fn costly_numbers_are_known() {
        assert!(parse("8-809-123-45-67", Region::RU)[0].costly);
        assert!(!parse("8-912-345-67-89", Region::RU)[0].costly);
    }

    #[test]
    fn a_text_full_of_digits_is_searched_only_so_far() {
        let text = "8 916 123 ".repeat(100_000);
        assert_eq!(in_text(&text, Region::RU), []);
        let late = format!("{}+79161234567", " ".repeat(SEARCHED));
        assert_eq!(in_text(&late, Region::RU), []);
    }

    #[test]
    fn numbers_in_running_text_are_found_and_dates_are_not() {
        let text = "Добрый день! Позвоните мне 21.11.2026 на 8 912 345-67-89, заказ 12345678.";
        let found: Vec<_> = in_text(text, Region::RU).into_iter().map(|found| found.number).collect();
        assert_eq!(found, ["+79123456789"]);
    }

    #[test]
    fn a_region_is_a_country_with_telephones() {
        assert_eq!((region("RU"), region("KZ")), (Some(Region::RU), Some(Region::KZ)));
        for wrong in ["ru", "Russia", "", "QQ", "ZZ", "001", "Р"] {
            assert_eq!(region(wrong), None, "{wrong}");
        }
    }
}
