//! Where is the customer? The first that answers of: an explicit field, the phone's numbering plan. The lead says
//! which answered.

use crate::entry::GeoHints;
use crate::phone;
use serde::{Deserialize, Serialize};

/// A place and who says so. Regions are ISO 3166-2 codes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Geo {
    pub country: Option<String>,
    pub region: Option<String>,
    pub city: Option<String>,
    /// `field` or `phone`.
    pub by: Option<String>,
}

/// `phones` are in E.164, the best first.
pub fn locate(hints: &GeoHints, phones: &[String]) -> Geo {
    if hints.country.is_some() || hints.region.is_some() || hints.city.is_some() {
        let region = hints.region.clone();
        let of_region = region.as_deref().and_then(|code| code.split_once('-')).map(|(country, _)| country.to_owned());
        return Geo {
            country: hints.country.clone().or(of_region),
            region,
            city: hints.city.clone(),
            by: Some("field".to_owned()),
        };
    }
    phones.iter().find_map(|number| by_phone(number)).unwrap_or_default()
}

fn by_phone(e164: &str) -> Option<Geo> {
    let country = phone::country(e164)?;
    let region = AREA_CODES.iter().find(|(prefix, _)| e164.starts_with(prefix)).map(|(_, region)| (*region).to_owned());
    Some(Geo { country: Some(country), region, city: None, by: Some("phone".to_owned()) })
}

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
    fn a_landline_tells_its_region_and_a_mobile_its_country() {
        let geo = |number: &str| locate(&GeoHints::default(), &[number.to_owned()]);
        assert_eq!(geo("+74951234567").region.as_deref(), Some("RU-MOW"));
        assert_eq!(geo("+79161234567").region, None);
        assert_eq!(geo("+79161234567").country.as_deref(), Some("RU"));
        assert_eq!(geo("+77011234567").country.as_deref(), Some("KZ"));
        assert_eq!(locate(&GeoHints::default(), &[]), Geo::default());
    }
}
