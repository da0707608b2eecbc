//! What names may look like.

/// What is named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NameKind {
    /// A pipeline; may hold `/`.
    Pipeline,
    /// A step.
    Step,
    /// A target: it shares one name space with steps.
    Target,
    /// A profile.
    Profile,
    /// A matrix axis.
    Axis,
}

impl NameKind {
    /// The kind in words, with its article.
    pub fn words(self) -> &'static str {
        match self {
            Self::Pipeline => "a pipeline",
            Self::Step => "a step",
            Self::Target => "a target",
            Self::Profile => "a profile",
            Self::Axis => "an axis",
        }
    }

    /// Whether `name` is allowed: letters, digits, `_`, `-`, `.`, no leading `-`; pipelines also `/`.
    pub fn allows(self, name: &str) -> bool {
        let fits = |c: char| {
            c.is_alphanumeric()
                || matches!(c, '_' | '-' | '.')
                || (c == '/' && self == Self::Pipeline)
        };
        !name.is_empty() && !name.starts_with('-') && name.chars().all(fits)
    }
}
