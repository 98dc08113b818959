//! What does the sender mean by `your-tel`, `ФИО` or `data[customer][phone]`? Field names in English and Russian.

use super::fields::LONGEST_PATH;
use std::collections::HashMap;
use std::sync::LazyLock;

/// What a field of a request can be to us.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Field {
    Name,
    FirstName,
    MiddleName,
    LastName,
    Phone,
    Email,
    Text,
    Consent,
    ConsentText,
    ConsentAt,
    Country,
    Region,
    City,
    Postcode,
    OccurredAt,
    /// Kept under this name in the campaign.
    Campaign(&'static str),
    /// A `utm_` field, kept under its own name in the campaign.
    Utm,
    /// The sender's own id of this post.
    PostId,
    /// Invisible to people: whoever fills it is a machine.
    Honeypot,
    /// Where the visitor goes after the post.
    Redirect,
    /// Said by the form to the gateway, of no interest to anyone later.
    Service,
}

/// Our names, as a channel's `fields` may use them, each with what senders call the same thing. Written as
/// [`bare`] leaves them.
const NAMES: &[(Field, &[&str])] = &[
    (
        Field::Name,
        &[
            "name",
            "fullname",
            "yourname",
            "contactname",
            "customername",
            "clientname",
            "username",
            "personname",
            "fio",
            "имя",
            "фио",
            "вашеимя",
            "имяифамилия",
            "имяклиента",
            "каквасзовут",
            "каквамобращаться",
            "каквамможнообращаться",
            "контактноелицо",
            "от",
        ],
    ),
    (Field::FirstName, &["firstname", "fname", "givenname"]),
    (Field::MiddleName, &["middlename", "patronymic", "secondname", "отчество"]),
    (Field::LastName, &["lastname", "lname", "surname", "familyname", "sname", "фамилия", "вашафамилия"]),
    (
        Field::Phone,
        &[
            "phone",
            "phones",
            "tel",
            "telephone",
            "mobile",
            "mobilephone",
            "cell",
            "cellphone",
            "phonenumber",
            "phone1",
            "phone2",
            "phone3",
            "tel1",
            "tel2",
            "yourphone",
            "yourtel",
            "yourphonenumber",
            "contactphone",
            "customerphone",
            "clientphone",
            "userphone",
            "phonework",
            "phonehome",
            "phonemobile",
            "workphone",
            "workphonenumber",
            "whatsapp",
            "msisdn",
            "телефон",
            "телефоны",
            "тел",
            "номертелефона",
            "вашномер",
            "вашномертелефона",
            "ваштелефон",
            "мобильный",
            "мобильныйтелефон",
            "контактныйтелефон",
            "сотовый",
            "телефондлясвязи",
        ],
    ),
    (
        Field::Email,
        &[
            "email",
            "emails",
            "mail",
            "emailaddress",
            "email1",
            "email2",
            "youremail",
            "yourmail",
            "useremail",
            "contactemail",
            "customeremail",
            "clientemail",
            "workemail",
            "businessemail",
            "почта",
            "эпочта",
            "элпочта",
            "электроннаяпочта",
            "вашапочта",
            "вашemail",
            "вашаэлектроннаяпочта",
            "адресэлектроннойпочты",
            "емейл",
            "имейл",
            "емаил",
            "имеил",
            "мейл",
        ],
    ),
    (
        Field::Text,
        &[
            "text",
            "message",
            "msg",
            "comment",
            "comments",
            "yourmessage",
            "yourcomment",
            "question",
            "textarea",
            "body",
            "description",
            "note",
            "notes",
            "inquiry",
            "enquiry",
            "details",
            "messagetext",
            "messagebody",
            "сообщение",
            "текст",
            "комментарий",
            "комментарии",
            "вопрос",
            "вашвопрос",
            "вашесообщение",
            "вашкомментарий",
            "текстсообщения",
            "текствопроса",
            "примечание",
            "пожелания",
            "сообщениекзаявке",
        ],
    ),
    (
        Field::Consent,
        &[
            "consent",
            "agree",
            "agreement",
            "acceptance",
            "accept",
            "privacy",
            "privacypolicy",
            "policy",
            "gdpr",
            "personaldata",
            "согласие",
            "согласен",
            "согласиенаобработкуперсональныхданных",
        ],
    ),
    (Field::ConsentText, &["consenttext", "consentversion"]),
    (Field::ConsentAt, &["consentat", "consenttime"]),
    (Field::Country, &["country", "countrycode", "страна"]),
    (Field::Region, &["region", "state", "province", "регион", "область", "край", "республика"]),
    (Field::City, &["city", "town", "город", "вашгород", "населенныйпункт"]),
    (Field::Postcode, &["postcode", "zip", "zipcode", "postalcode", "postindex", "индекс", "почтовыйиндекс"]),
    (Field::OccurredAt, &["occurredat", "leadgateat"]),
    (Field::PostId, &["leadgateid"]),
    (Field::Honeypot, &["leadgatehp"]),
    (Field::Redirect, &["redirect", "redirecturl"]),
    (Field::Service, &["charset"]),
    (Field::Campaign("page"), &["page", "pageurl", "url", "landing", "landingpage", "landingurl", "sourceurl"]),
    (Field::Campaign("page_title"), &["pagetitle"]),
    (Field::Campaign("referrer"), &["referrer", "referer", "httpreferer", "documentreferrer"]),
    (Field::Campaign("ga_client_id"), &["gaclientid", "gacid", "ga", "googleclientid", "googleanalyticsclientid"]),
    (
        Field::Campaign("ym_client_id"),
        &["ymclientid", "ymuid", "ym", "metrikaclientid", "metrikaid", "yandexclientid", "yandexuid"],
    ),
    (Field::Campaign("gclid"), &["gclid"]),
    (Field::Campaign("gbraid"), &["gbraid"]),
    (Field::Campaign("wbraid"), &["wbraid"]),
    (Field::Campaign("dclid"), &["dclid"]),
    (Field::Campaign("yclid"), &["yclid"]),
    (Field::Campaign("ysclid"), &["ysclid"]),
    (Field::Campaign("fbclid"), &["fbclid"]),
    (Field::Campaign("fbp"), &["fbp"]),
    (Field::Campaign("fbc"), &["fbc"]),
    (Field::Campaign("msclkid"), &["msclkid"]),
    (Field::Campaign("ttclid"), &["ttclid"]),
    (Field::Campaign("twclid"), &["twclid"]),
    (Field::Campaign("li_fat_id"), &["lifatid"]),
    (Field::Campaign("rb_clickid"), &["rbclickid"]),
    (Field::Campaign("roistat"), &["roistat", "roistatvisit"]),
];

/// Wrappers that say nothing of whose field it is: `customer.phone` is the customer's, `manager.phone` is not.
const WRAPPERS: [&str; 27] = [
    "data",
    "fields",
    "field",
    "form",
    "formdata",
    "values",
    "answers",
    "payload",
    "body",
    "request",
    "lead",
    "customer",
    "client",
    "contact",
    "contacts",
    "user",
    "visitor",
    "person",
    "tracking",
    "analytics",
    "cookies",
    "marketing",
    "campaign",
    "params",
    "query",
    "meta",
    "event",
];

static KNOWN: LazyLock<HashMap<&'static str, Field>> =
    LazyLock::new(|| NAMES.iter().flat_map(|(field, names)| names.iter().map(|name| (*name, *field))).collect());

/// What the field at this path is to us, judged by its name.
pub(crate) fn of_path(path: &str) -> Option<Field> {
    if path.len() > LONGEST_PATH {
        return None;
    }
    let (mut path, mut inner) = (path.trim_end_matches('.'), false);
    while let Some((holder, leaf)) = path.rsplit_once('.') {
        if !matches!(&*bare(leaf), "value" | "number" | "address") {
            break;
        }
        path = holder.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('.');
        inner = true;
    }
    at_path(path).filter(|field| !inner || matches!(field, Field::Phone | Field::Email))
}

fn at_path(path: &str) -> Option<Field> {
    let Some((wrappers, leaf)) = path.rsplit_once('.') else { return of_name(path) };
    let utm = |wrapper: &str| wrapper.eq_ignore_ascii_case("utm");
    let (outer, last) = wrappers.rsplit_once('.').unwrap_or(("", wrappers));
    if utm(last) && outer.split('.').all(is_wrapper) {
        return Some(Field::Utm);
    }
    wrappers.split('.').all(is_wrapper).then(|| of_name(leaf))?
}

/// Which field a channel's `fields` means by one of our names; none keeps the value as an attribute of that name.
pub fn named(name: &str) -> Option<Field> {
    of_name(name)
}

fn of_name(name: &str) -> Option<Field> {
    if name.len() > 96 {
        return None;
    }
    let bare = bare(name);
    if bare.starts_with("utm") && bare.len() > 3 && name.contains(['_', '-']) {
        return Some(Field::Utm);
    }
    KNOWN.get(bare.as_str()).copied().or_else(|| bare.starts_with("leadgate").then_some(Field::Service))
}

fn is_wrapper(segment: &str) -> bool {
    let index = !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
    index || segment.is_empty() || WRAPPERS.contains(&bare(segment).as_str())
}

/// Lower case without the marks between words: `Your-Name *` and `your_name` are `yourname`.
fn bare(name: &str) -> String {
    let mut bare = String::with_capacity(name.len());
    for c in name.chars().filter(|c| c.is_alphanumeric()) {
        match c {
            'ё' | 'Ё' => bare.push('е'),
            c if c.is_ascii() => bare.push(c.to_ascii_lowercase()),
            c => bare.extend(c.to_lowercase()),
        }
    }
    bare
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_field_name_is_known() {
        for (path, field) in [
            ("name", Field::Name),
            ("your-name", Field::Name),
            ("Ваше имя *", Field::Name),
            ("Как вас зовут?", Field::Name),
            ("Имя", Field::Name),
            ("LAST_NAME", Field::LastName),
            ("Phone", Field::Phone),
            ("Телефон:", Field::Phone),
            ("Тел.", Field::Phone),
            ("data.customer.tel", Field::Phone),
            ("FIELDS.PHONE.0.VALUE", Field::Phone),
            ("contacts.0.phone", Field::Phone),
            ("E-mail", Field::Email),
            ("Электронная почта", Field::Email),
            ("emails.0.value", Field::Email),
            ("Textarea", Field::Text),
            ("Населённый пункт", Field::City),
            ("_ga", Field::Campaign("ga_client_id")),
            ("_ym_uid", Field::Campaign("ym_client_id")),
            ("gclid", Field::Campaign("gclid")),
            ("http_referer", Field::Campaign("referrer")),
            ("utm_source", Field::Utm),
            ("utm-content", Field::Utm),
            ("tracking.utm.source", Field::Utm),
            ("leadgate_id", Field::PostId),
            ("leadgate_hp", Field::Honeypot),
            ("leadgate_new", Field::Service),
        ] {
            assert_eq!(of_path(path), Some(field), "{path}");
        }
    }

    #[test]
    fn a_field_of_somebody_else_is_not_the_customers() {
        let long = "name".repeat(1000);
        let deep = format!("phone{}", ".value".repeat(200_000));
        for path in
            ["manager.phone", "product.name", "items.0.name", "company.email", "budget", "", ".", "1.3", &long, &deep]
        {
            assert_eq!(of_path(path), None, "{path}");
        }
    }

    #[test]
    fn no_name_means_two_things_and_all_are_bare() {
        let names: Vec<&str> = NAMES.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        assert_eq!(KNOWN.len(), names.len());
        for name in names.into_iter().chain(WRAPPERS) {
            assert_eq!(bare(name), name);
        }
    }
}
