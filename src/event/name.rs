//! How lines of JSON name a step. To people `api:build (dev)` says under which profile, where one run
//! has the step under two; a program gets what a person would type, and the profile beside it.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A name in lines of JSON.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Named<T = String> {
    /// The step as a person would type it, with its pipeline: `api:build@os=linux`.
    step: T,
    /// The profile that it runs under, where one run has the step under two.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<T>,
}

/// What a person would type, and the profile that is named behind it.
fn typed(name: &str) -> (&str, Option<&str>) {
    // No other name ends like that: values with blanks stand in quotes.
    let parts = name
        .strip_suffix(')')
        .and_then(|name| name.rsplit_once(" ("));
    parts.map_or((name, None), |(step, profile)| (step, Some(profile)))
}

pub(super) fn serialize<S: Serializer>(name: &str, to: S) -> Result<S::Ok, S::Error> {
    let (step, profile) = typed(name);
    Named { step, profile }.serialize(to)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let Named { step, profile } = Named::<String>::deserialize(from)?;
    Ok(match profile {
        Some(profile) => format!("{step} ({profile})"),
        None => step,
    })
}

#[cfg(test)]
mod tests {
    use super::typed;

    #[test]
    fn names_are_what_a_person_types() {
        assert_eq!(typed("api:build@os=linux"), ("api:build@os=linux", None));
        assert_eq!(typed("api:build (dev)"), ("api:build", Some("dev")));
        let quoted = "api:build@x=\"a (b)\"";
        assert_eq!(typed(quoted), (quoted, None));
        assert_eq!(
            typed("a:b@x=\"a (b)\" (dev)"),
            ("a:b@x=\"a (b)\"", Some("dev"))
        );
    }
}
