//! Where is the customer? The first that answers of: an explicit region or country, the phone's numbering plan, the
//! postcode, the city. The lead says which answered; what the others add and does not contradict is kept.

use crate::entry::GeoHints;
use crate::phone;
use serde::{Deserialize, Serialize};

/// A place and who says so. Regions are ISO 3166-2 codes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Geo {
    pub country: Option<String>,
    pub region: Option<String>,
    pub city: Option<String>,
    /// `field`, `phone`, `postcode` or `city`.
    pub by: Option<String>,
}

/// `phones` are in E.164, the best first.
pub fn locate(hints: &GeoHints, phones: &[String]) -> Geo {
    let of_region =
        hints.region.as_deref().and_then(|code| code.split_once('-')).map(|(country, _)| country.to_owned());
    let stated = hints.country.clone().or(of_region);
    let phone = phones.iter().find_map(|number| by_phone(number)).unwrap_or_default();
    // A phone of another country says nothing of a region in this one.
    let phone = if stated.is_none() || stated == phone.country { phone } else { Geo::default() };
    let country = stated.clone().or_else(|| phone.country.clone());
    let postcode = || by_postcode(country.as_deref()?, hints.postcode.as_deref()?);
    let (region, by) = if hints.region.is_some() {
        (hints.region.clone(), Some("field"))
    } else if phone.region.is_some() {
        (phone.region, Some("phone"))
    } else if let Some(region) = postcode() {
        (Some(region), Some("postcode"))
    } else if stated.is_some() {
        (None, Some("field"))
    } else if country.is_some() {
        (None, Some("phone"))
    } else {
        (None, hints.city.as_ref().map(|_| "city"))
    };
    Geo { country, region, city: hints.city.clone(), by: by.map(str::to_owned) }
}

fn by_phone(e164: &str) -> Option<Geo> {
    let country = phone::country(e164)?;
    let region = AREA_CODES.iter().find(|(prefix, _)| e164.starts_with(prefix)).map(|(_, region)| (*region).to_owned());
    Some(Geo { country: Some(country), region, city: None, by: Some("phone".to_owned()) })
}

fn by_postcode(country: &str, postcode: &str) -> Option<String> {
    let digits = postcode.trim();
    if country != "RU" || digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let area: u16 = digits.get(..3)?.parse().ok()?;
    let found = POSTCODES.iter().find(|(first, last, _)| (*first..=*last).contains(&area));
    found.map(|(_, _, region)| (*region).to_owned())
}

/// First three digits of postcodes, from and to, of the same regions as below, as they are commonly given; not checked
/// against the index of Russian Post. Districts that Moscow took over in 2012 may still have the postcodes of its region.
const POSTCODES: [(u16, u16, &str); 22] = [
    (101, 129, "RU-MOW"),
    (140, 144, "RU-MOS"),
    (187, 188, "RU-LEN"),
    (190, 199, "RU-SPE"),
    (236, 238, "RU-KGD"),
    (344, 347, "RU-ROS"),
    (350, 354, "RU-KDA"),
    (394, 397, "RU-VOR"),
    (400, 404, "RU-VGG"),
    (410, 413, "RU-SAR"),
    (420, 423, "RU-TA"),
    (443, 446, "RU-SAM"),
    (450, 453, "RU-BA"),
    (454, 457, "RU-CHE"),
    (603, 607, "RU-NIZ"),
    (614, 619, "RU-PER"),
    (620, 624, "RU-SVE"),
    (625, 627, "RU-TYU"),
    (630, 633, "RU-NVS"),
    (644, 646, "RU-OMS"),
    (660, 663, "RU-KYA"),
    (690, 692, "RU-PRI"),
];

/// Area codes that lie in one region, longest first where they overlap. Source: the Russian numbering plan
/// (ABC codes, order of the Ministry of Communications 205 of 2018); mobile 9xx codes say nothing of a region.
const AREA_CODES: [(&str, &str); 24] = [
    ("+7495", "RU-MOW"),
    ("+7499", "RU-MOW"),
    ("+7496", "RU-MOS"),
    ("+7498", "RU-MOS"),
    ("+7812", "RU-SPE"),
    ("+7813", "RU-LEN"),
    ("+7343", "RU-SVE"),
    ("+7383", "RU-NVS"),
    ("+7843", "RU-TA"),
    ("+7831", "RU-NIZ"),
    ("+7846", "RU-SAM"),
    ("+7861", "RU-KDA"),
    ("+7863", "RU-ROS"),
    ("+7351", "RU-CHE"),
    ("+7342", "RU-PER"),
    ("+7347", "RU-BA"),
    ("+7391", "RU-KYA"),
    ("+7473", "RU-VOR"),
    ("+7844", "RU-VGG"),
    ("+7845", "RU-SAR"),
    ("+7381", "RU-OMS"),
    ("+7423", "RU-PRI"),
    ("+7401", "RU-KGD"),
    ("+7345", "RU-TYU"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_wins_over_the_phone() {
        let hints = GeoHints { region: Some("RU-SPE".into()), ..GeoHints::default() };
        let geo = locate(&hints, &["+74951234567".into()]);
        assert_eq!(
            (geo.country.as_deref(), geo.region.as_deref(), geo.by.as_deref()),
            (Some("RU"), Some("RU-SPE"), Some("field"))
        );
    }

    #[test]
    fn what_one_does_not_say_another_may_add() {
        let cases = [
            ("city and landline", ("", "", "Москва", ""), "+74951112244", ("RU", "RU-MOW", "phone")),
            ("country and landline", ("RU", "", "", ""), "+78121112244", ("RU", "RU-SPE", "phone")),
            ("another country's landline", ("KZ", "", "", ""), "+78121112244", ("KZ", "", "field")),
            ("postcode and mobile", ("", "", "", "190000"), "+79161234567", ("RU", "RU-SPE", "postcode")),
            ("landline and postcode", ("", "", "", "190000"), "+74951112244", ("RU", "RU-MOW", "phone")),
            ("a postcode of nobody knows where", ("", "", "", "190000"), "", ("", "", "")),
            ("a postcode elsewhere", ("KZ", "", "", "050000"), "", ("KZ", "", "field")),
            ("no postcode", ("RU", "", "", "19000"), "", ("RU", "", "field")),
            ("only a city", ("", "", "Москва", ""), "", ("", "", "city")),
            ("region against all", ("", "RU-SPE", "Москва", "101000"), "+74951112244", ("RU", "RU-SPE", "field")),
        ];
        let set = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        for (name, (country, region, city, postcode), phone, found) in cases {
            let hints =
                GeoHints { country: set(country), region: set(region), city: set(city), postcode: set(postcode) };
            let phones: Vec<String> = set(phone).into_iter().collect();
            let geo = locate(&hints, &phones);
            assert_eq!((geo.country, geo.region, geo.by), (set(found.0), set(found.1), set(found.2)), "{name}");
            assert_eq!(geo.city, set(city), "{name}");
        }
    }

    #[test]
    fn a_landline_tells_its_region_and_a_mobile_its_country() {
        let geo = |number: &str| locate(&GeoHints::default(), &[number.to_owned()]);
        assert_eq!(geo("+74951234567").region.as_deref(), Some("RU-MOW"));
        assert_eq!(geo("+79161234567").region, None);
        assert_eq!(geo("+79161234567").country.as_deref(), Some("RU"));
        assert_eq!(geo("+77011234567").country.as_deref(), Some("KZ"));
        assert_eq!(locate(&GeoHints::default(), &[]), Geo::default());
    }
}
