//! What tables of other tools say of patterns that mean the same in this dialect: git's wildmatch
//! for whole paths, and globs with braces as in Go's doublestar. Rows that this dialect refuses (`**`
//! within a name, named classes) or that ask for an empty path are left out.

use super::{path, pattern};

/// Pattern, path, whether it matches.
#[rustfmt::skip]
const ROWS: &[(&str, &str, bool)] = &[
    // one name
    ("foo", "foo", true), ("bar", "foo", false), ("???", "foo", true), ("??", "foo", false),
    ("f*", "foo", true), ("*f", "foo", false), ("*foo*", "foo", true), ("*ob*a*r*", "foobar", true),
    ("*ab", "aaaaaaabababab", true), ("foo\\*", "foo*", true), ("foo\\*bar", "foobar", false),
    ("f\\\\oo", "f\\oo", true), ("*[al]?", "ball", true), ("[ten]", "ten", false),
    ("t[a-g]n", "ten", true), ("t[!a-g]n", "ten", false), ("t[!a-g]n", "ton", true),
    ("t[^a-g]n", "ton", true), ("a[]]b", "a]b", true), ("a[]-]b", "a-b", true), ("a[]-]b", "a]b", true),
    ("a[]-]b", "aab", false), ("a[]a-]b", "aab", true), ("]", "]", true), ("@foo", "foo", false),
    ("\\[ab]", "[ab]", true), ("[[]ab]", "[ab]", true), ("\\??\\?b", "?a?b", true), ("\\a\\b\\c", "abc", true),
    ("b*a", "aaabbb", false), ("*ba*", "aabcaa", false), ("a[c-c]st", "acrt", false), ("a[c-c]rt", "acrt", true),
    // slashes
    ("foo*bar", "foo/baz/bar", false), ("foo/**/bar", "foo/baz/bar", true), ("foo/**/**/bar", "foo/baz/bar", true),
    ("foo/**/bar", "foo/b/a/z/bar", true), ("foo/**/bar", "foo/bar", true), ("foo/**/**/bar", "foo/bar", true),
    ("foo?bar", "foo/bar", false), ("foo[^a-z]bar", "foo/bar", false),
    ("f[^eiu][^eiu][^eiu][^eiu][^eiu]r", "foo/bar", false), ("f[^eiu][^eiu][^eiu][^eiu][^eiu]r", "foo-bar", true),
    ("**/foo", "foo", true), ("**/foo", "one/foo", true), ("**/foo", "bar/baz/foo", true),
    ("*/foo", "bar/baz/foo", false), ("**/bar*", "foo/bar/baz", false), ("**/bar/*", "deep/foo/bar/baz", true),
    ("**/bar/**", "deep/foo/bar/baz/x", true), ("**/bar/*", "deep/foo/bar", false), ("*/bar/**", "foo/bar/baz/x", true),
    ("*/bar/**", "deep/foo/bar/baz/x", false), ("**/bar/*/*", "deep/foo/bar/baz/x", true),
    ("**/t[o]", "foo/bar/baz/to", true), ("*/\\\\", "one/\\", true),
    // ranges
    ("[!]-]", "]", false), ("[!]-]", "a", true), ("[--A]", "-", true), ("[--A]", "5", true), ("[ --]", "$", true),
    ("[ --]", "0", false), ("[---]", "-", true), ("[------]", "-", true), ("[a-e-n]", "j", false),
    ("[a-e-n]", "-", true), ("[!------]", "a", true), ("[]-a]", "[", false), ("[]-a]", "^", true),
    ("[!]-a]", "^", false), ("[!]-a]", "[", true), ("[a^bc]", "^", true), ("[a-]b]", "-b]", true),
    ("[\\\\]", "\\", true), ("[!\\\\]", "\\", false), ("[A-\\\\]", "G", true), ("[,]", ",", true),
    ("[\\\\,]", ",", true), ("[\\\\,]", "\\", true), ("[,-.]", "-", true), ("[,-.]", "+", false), ("[,-.]", "-.]", false),
    ("[\\1-\\3]", "2", true), ("[\\1-\\3]", "4", false), ("[[-\\]]", "\\", true), ("[[-\\]]", "[", true),
    ("[[-\\]]", "]", true), ("[[-\\]]", "-", false), ("[\\-]", "-", true), ("[x\\-]", "z", false), ("[\\-x]", "a", false),
    ("[a-z]", "A", false), ("[A-Z]", "a", false), ("[A-Z]", "A", true),
    // many stars
    ("-*-*-*-*-*-*-12-*-*-*-m-*-*-*", "-adobe-courier-bold-o-normal--12-120-75-75-m-70-iso8859-1", true),
    ("-*-*-*-*-*-*-12-*-*-*-m-*-*-*", "-adobe-courier-bold-o-normal--12-120-75-75-X-70-iso8859-1", false),
    ("-*-*-*-*-*-*-12-*-*-*-m-*-*-*", "-adobe-courier-bold-o-normal--12-120-75-75-/-70-iso8859-1", false),
    ("**/*a*b*g*n*t", "abcd/abcdefg/abcdefghijk/abcdefghijklmnop.txt", true),
    ("**/*a*b*g*n*t", "abcd/abcdefg/abcdefghijk/abcdefghijklmnop.txtz", false),
    ("*/*/*", "foo", false), ("*/*/*", "foo/bar", false), ("*/*/*", "foo/bba/arr", true), ("*/*/*", "foo/bb/aa/rr", false),
    ("**/**/**", "foo/bb/aa/rr", true), ("*X*i", "abcXdefXghi", true), ("*X*i", "ab/cXd/efXg/hi", false),
    ("*/*X*/*/*i", "ab/cXd/efXg/hi", true), ("**/*X*/**/*i", "ab/cXd/efXg/hi", true),
    ("a*b*c*d*e*/f", "axbxcxdxe/f", true), ("a*b*c*d*e*/f", "axbxcxdxexxx/f", true),
    ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false), ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", false),
    ("a*b?c*x", "abxbbxdbxebxczzx", true), ("a*b?c*x", "abxbbxdbxebxczzy", false),
    // characters, not bytes
    ("a?b", "a☺b", true), ("a[^a]b", "a☺b", true), ("a[!a]b", "a☺b", true), ("a???b", "a☺b", false),
    ("a[^a][^a][^a]b", "a☺b", false), ("[a-ζ]*", "α", true), ("*[a-ζ]", "A", false),
    // braces
    ("ab{c,d}", "abc", true), ("ab{c,d,*}", "abcde", true), ("a{,bc}", "a", true), ("a{,bc}", "abc", true),
    ("a/{b/c,c/b}", "a/b/c", true), ("a/{b/c,c/b}", "a/c/b", true), ("a/a*{b,c}", "a/abc", true),
    ("{a/{b,c},abc}", "a/b", true), ("{a/{b,c},abc}", "a/c", true), ("{a/{b,c},abc}", "abc", true),
    ("{a/{b,c},abc}", "a/b/c", false), ("{a/ab*}", "a/abc", true), ("a/**/d", "a/b/c/d", true),
];

#[test]
fn public_tables_agree() {
    for (text, one, wanted) in ROWS {
        let matches = pattern(text).matches(&path(one.as_bytes()));
        assert_eq!(matches, *wanted, "{text} ~ {one}");
    }
}
