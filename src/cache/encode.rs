//! The canonical encoding of an action: the bytes that the key is over, and, kept as they are, the
//! field list that explains a miss. So key and explanation cannot disagree.
//!
//! ```text
//! encoding := schema:u32 field*              fields in the order of their tags, each once
//! field    := tag:u8 count:u64 item*         lists in their order, sets sorted bytewise, no doubles
//! item     := text(name) text(value)         the name is empty where a place in a list is enough
//! text     := length:u64 bytes               all numbers little-endian
//! ```
//!
//! No two different lists of fields have the same bytes, because every part tells its length before
//! it comes. What is unset differs from what is empty by the first byte of its value
//! ([`set`], [`UNSET`]), what is absent has no item. Knows nothing of what the fields mean.

use super::digest::{Digest, Hasher};

/// The first field of every encoding. Changes only when the meaning of a field changes.
pub(super) const SCHEMA: u32 = 1;

/// The domain of action keys.
const DOMAIN: &str = "pipe action key";

/// The value of something that is taken away on purpose.
pub(super) const UNSET: &[u8] = &[0];

/// The fields of the key; the number is the tag and never changes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Field {
    /// The scripts after expansion.
    Command = 1,
    /// What they see as `"$@"`.
    Args = 2,
    /// The working folder.
    Dir = 3,
    /// Declared variables by value.
    Env = 4,
    /// Names of variables that are handed through.
    PassEnv = 5,
    /// Operating system and processor.
    Platform = 6,
    /// What tools printed; not there where there are none.
    Tools = 7,
    /// Files that its depfile lists; there in the strong key of a step with a depfile only.
    Discovered = 8,
    /// Files that it reads.
    Input = 9,
    /// Declared outputs.
    Output = 10,
    /// What runs the scripts.
    Shell = 11,
    /// What is seen of the caller's environment.
    EnvPolicy = 12,
    /// Folders in front of `PATH`.
    Path = 13,
    /// Checks after the command.
    Verify = 14,
    /// Words that only make keys differ.
    Salt = 15,
    /// Names of secrets; not there where there are none.
    Secrets = 16,
    /// There if outputs of the previous run stay in place.
    Incremental = 17,
    /// There if the outputs are a terminal.
    Tty = 18,
    /// The depfile; not there where there is none.
    Depfile = 19,
}

impl Field {
    /// All fields, in the order in which they are encoded.
    pub const ALL: [Self; 19] = [
        Self::Command,
        Self::Args,
        Self::Dir,
        Self::Env,
        Self::PassEnv,
        Self::Platform,
        Self::Tools,
        Self::Discovered,
        Self::Input,
        Self::Output,
        Self::Shell,
        Self::EnvPolicy,
        Self::Path,
        Self::Verify,
        Self::Salt,
        Self::Secrets,
        Self::Incremental,
        Self::Tty,
        Self::Depfile,
    ];

    fn of_tag(tag: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|field| *field as u8 == tag)
    }
}

/// Writes an encoding.
pub(super) struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// An encoding without fields.
    pub(super) fn new() -> Self {
        let mut bytes = Vec::with_capacity(2048);
        bytes.extend_from_slice(&SCHEMA.to_le_bytes());
        Self { bytes }
    }

    /// Writes a field; `items` puts in what it holds.
    pub(super) fn field(&mut self, field: Field, items: impl FnOnce(&mut Items<'_>)) {
        self.bytes.push(field as u8);
        let count_at = self.bytes.len();
        self.bytes.extend_from_slice(&0_u64.to_le_bytes());
        let mut writer = Items {
            bytes: &mut self.bytes,
            count: 0,
        };
        items(&mut writer);
        let count = writer.count;
        self.bytes[count_at..count_at + 8].copy_from_slice(&count.to_le_bytes());
    }

    /// Writes a field that is a list of values.
    pub(super) fn list<T: AsRef<[u8]>>(
        &mut self,
        field: Field,
        values: impl IntoIterator<Item = T>,
    ) {
        self.field(field, |items| {
            for value in values {
                items.push(value.as_ref());
            }
        });
    }

    /// Writes a field that is there or not.
    pub(super) fn flag(&mut self, field: Field, is_set: bool) {
        if is_set {
            self.list(field, ["true"]);
        }
    }

    /// Writes a field with an item for each of `values`.
    pub(super) fn each<T>(
        &mut self,
        field: Field,
        values: &[T],
        push: impl Fn(&mut Items<'_>, &T),
    ) {
        self.field(field, |items| {
            for value in values {
                push(items, value);
            }
        });
    }

    /// The finished bytes.
    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// The items of one field.
pub(super) struct Items<'a> {
    bytes: &'a mut Vec<u8>,
    count: u64,
}

impl Items<'_> {
    /// An item with a name.
    pub(super) fn named(&mut self, name: &[u8], value: &[u8]) {
        push_text(self.bytes, name);
        push_text(self.bytes, value);
        self.count += 1;
    }

    /// An item of a list.
    fn push(&mut self, value: &[u8]) {
        self.named(b"", value);
    }
}

/// Appends a text with its length in front.
pub(super) fn push_text(bytes: &mut Vec<u8>, text: &[u8]) {
    bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
    bytes.extend_from_slice(text);
}

/// The value of something that is set, be it to nothing.
pub(super) fn set(value: &[u8]) -> Vec<u8> {
    [&[1], value].concat()
}

/// The key of an encoding.
pub(super) fn key(encoding: &[u8]) -> Digest {
    let mut hasher = Hasher::of_domain(DOMAIN);
    hasher.update(encoding);
    hasher.digest()
}

/// An item as read back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Item<'a> {
    /// Its name; empty in lists.
    pub(super) name: &'a [u8],
    /// Its value.
    pub(super) value: &'a [u8],
}

/// An encoding as read back.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct FieldList<'a> {
    fields: Vec<(Field, Vec<Item<'a>>)>,
}

impl<'a> FieldList<'a> {
    /// Reads an encoding; `None` where it is of another schema or damaged.
    pub(super) fn parse(encoding: &'a [u8]) -> Option<Self> {
        let mut rest = Reader(encoding);
        (rest.take(4)? == SCHEMA.to_le_bytes()).then_some(())?;
        let mut fields = Vec::new();
        while !rest.0.is_empty() {
            fields.push(rest.field()?);
        }
        Some(Self { fields })
    }

    /// The items of `field`.
    pub(super) fn items(&self, field: Field) -> &[Item<'a>] {
        self.fields
            .iter()
            .find(|(found, _)| *found == field)
            .map_or(&[], |(_, items)| items)
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(usize::try_from(length).ok()?)
    }

    fn item(&mut self) -> Option<Item<'a>> {
        Some(Item {
            name: self.text()?,
            value: self.text()?,
        })
    }

    fn field(&mut self) -> Option<(Field, Vec<Item<'a>>)> {
        let field = Field::of_tag(self.take(1)?[0])?;
        let count = self.number()?;
        // Not `with_capacity`: a damaged count must not reserve memory.
        let items = (0..count).map(|_| self.item()).collect::<Option<_>>()?;
        Some((field, items))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Lists = Vec<(Field, Vec<(Vec<u8>, Vec<u8>)>)>;

    fn encode(lists: &Lists) -> Vec<u8> {
        let mut encoder = Encoder::new();
        for (field, items) in lists {
            encoder.field(*field, |writer| {
                for (name, value) in items {
                    writer.named(name, value);
                }
            });
        }
        encoder.finish()
    }

    fn lists() -> impl Strategy<Value = Lists> {
        let text = || proptest::collection::vec(any::<u8>(), 0..4);
        let items = proptest::collection::vec((text(), text()), 0..4);
        proptest::collection::btree_map(0..Field::ALL.len(), items, 0..4).prop_map(|map| {
            map.into_iter()
                .map(|(at, items)| (Field::ALL[at], items))
                .collect()
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(lists in lists()) {
            let bytes = encode(&lists);
            let list = FieldList::parse(&bytes).unwrap();
            let back: Lists = list.fields.iter().map(|(field, items)| {
                (*field, items.iter().map(|item| (item.name.to_vec(), item.value.to_vec())).collect())
            }).collect();
            prop_assert_eq!(back, lists);
        }

        #[test]
        fn different_fields_have_different_keys(one in lists(), two in lists()) {
            prop_assert_eq!(one == two, key(&encode(&one)) == key(&encode(&two)));
        }

        #[test]
        fn damage_is_no_panic(lists in lists(), cut in any::<prop::sample::Index>(), flip in any::<u8>()) {
            let mut bytes = encode(&lists);
            let at = cut.index(bytes.len());
            let _cut = FieldList::parse(&bytes[..at]);
            bytes[at] ^= flip;
            let _flipped = FieldList::parse(&bytes);
        }
    }

    #[test]
    fn words_do_not_run_together() {
        let list = |words: &[&str]| {
            let mut encoder = Encoder::new();
            encoder.list(Field::Args, words);
            encoder.finish()
        };
        assert_ne!(list(&["ab", "c"]), list(&["a", "bc"]));
        assert_ne!(list(&[""]), list(&[]));
        assert_ne!(list(&["a", "b"]), list(&["b", "a"]));
    }

    #[test]
    fn a_key_is_no_digest_of_contents() {
        assert_ne!(key(b"x"), Digest::of(b"x"));
    }
}
