//! The tree on real folders. No test waits for a clock: what the stat cache is to believe is
//! written into it.

#![expect(
    clippy::disallowed_methods,
    reason = "tests set the disk up themselves"
)]

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::{CWD, Mode, mknodat};

use super::*;
use crate::plan::OutputKind;

/// A workspace in a temporary folder.
struct Place {
    folder: tempfile::TempDir,
    owned: Vec<Output>,
}

fn at(text: &str) -> RelPath {
    RelPath::resolve(&RelPath::root(), text.as_bytes()).unwrap()
}

fn pattern(text: &str) -> Pattern {
    Pattern::parse(&RelPath::root(), text).unwrap()
}

/// `dist/` is a folder, `*.o` a glob, `a` a file; a leading `!` negates.
fn output(text: &str) -> Output {
    let (negated, text) = text
        .strip_prefix('!')
        .map_or((false, text), |rest| (true, rest));
    let kind = match text.strip_suffix('/') {
        Some(folder) => OutputKind::Folder(at(folder)),
        None if pattern(text).is_literal() => OutputKind::File(at(text)),
        None => OutputKind::Glob(pattern(text)),
    };
    Output {
        kind,
        optional: false,
        negated,
    }
}

fn outputs(texts: &[&str]) -> Vec<Output> {
    texts.iter().map(|text| output(text)).collect()
}

fn globs(texts: &[&str]) -> Sources {
    Sources {
        patterns: texts.iter().map(|text| pattern(text)).collect(),
        ..Sources::default()
    }
}

fn literal(text: &str) -> Sources {
    let literal = match text.starts_with('/') {
        true => Literal::Outside(text.to_owned()),
        false => Literal::File(at(text)),
    };
    Sources {
        literals: vec![literal],
        ..Sources::default()
    }
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".pipe")).unwrap();
        Self {
            folder,
            owned: Vec::new(),
        }
    }

    fn with(files: &[&str]) -> Self {
        let place = Self::new();
        files.iter().for_each(|file| place.write(file, file));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn tree(&self) -> Tree {
        let ignore = Ignore::new(&["skipped"]).unwrap();
        Tree::open(
            self.folder.path().into(),
            self.path(".pipe"),
            ignore,
            self.owned.iter(),
        )
    }

    fn found(&self, sources: &Sources) -> Vec<String> {
        names(&self.tree().sources(sources, 0).unwrap().entries)
    }

    fn fails(&self, sources: &Sources) -> String {
        self.tree().sources(sources, 0).unwrap_err().to_string()
    }

    /// Makes the stat cache believe that these files, as they are now, have the digests of other
    /// texts; so a test can see what was read and what was believed.
    fn pretend(&self, files: &[(&str, &str)], clean: bool) {
        let tree = self.tree();
        let known: Vec<_> = files
            .iter()
            .map(|(name, text)| {
                let (_, identity) = tree.looker.identities(name.as_bytes()).unwrap();
                let content = Content::File(Digest::of(text.as_bytes()));
                (
                    name.as_bytes(),
                    Known {
                        identity,
                        clean,
                        content,
                    },
                )
            })
            .collect();
        stat::save(&self.path(".pipe/stat"), known.into_iter()).unwrap();
    }

    fn digest(&self, name: &str) -> Digest {
        self.tree().look(&at(name), 0).unwrap().digest
    }
}

fn names(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| entry.path.display()).collect()
}

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn fifo(path: &Path) {
    mknodat(
        CWD,
        path,
        rustix::fs::FileType::Fifo,
        Mode::RUSR | Mode::WUSR,
        0,
    )
    .unwrap();
}

#[test]
fn sources_are_sorted_hashed_and_each_there_once() {
    let place = Place::with(&[
        "b.c",
        "a/z.c",
        "a.c",
        "a/skipped/x.c",
        "node_modules/x.c",
        "t.txt",
    ]);
    fs::set_permissions(place.path("b.c"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut sources = globs(&["**/*.c", "*.c", "a/*", "*.none"]);
    sources.literals = vec![Literal::File(at("t.txt")), Literal::File(at("a.c"))];
    let set = place.tree().sources(&sources, 0).unwrap();
    assert_eq!(names(&set.entries), ["a.c", "a/z.c", "b.c", "t.txt"]);
    assert_eq!(set.empty_patterns, ["*.none"]);
    for entry in &set.entries {
        assert_eq!(entry.digest, digest(&entry.path.display()));
        assert_eq!(entry.exec, entry.path.display() == "b.c");
        assert_eq!(entry.kind, Kind::File);
    }
}

#[test]
fn excludes_win() {
    let place = Place::with(&["a.go", "a_test.go", "t/x.go"]);
    let mut sources = globs(&["**/*.go", "a_test.go"]);
    sources.excludes = vec![pattern("**/*_test.go"), pattern("t/")];
    assert_eq!(place.found(&sources), ["a.go"]);
}

#[test]
fn what_steps_make_is_no_source() {
    let mut place = Place::with(&[
        "a.c",
        "gen/a.c",
        "dist/x/a.c",
        "a.pb.c",
        "one.c",
        "dist2/a.c",
    ]);
    place.owned = outputs(&["gen/a.c", "dist/", "*.pb.c", "!dist/x/"]);
    assert_eq!(
        place.found(&globs(&["**/*.c"])),
        ["a.c", "dist2/a.c", "one.c"]
    );
    assert_eq!(place.found(&globs(&["dist/**"])), Vec::<String>::new());
}

#[test]
fn names_that_are_no_text_work() {
    let place = Place::new();
    let name = std::ffi::OsStr::from_bytes(b"a\xff\n'.c");
    fs::write(place.folder.path().join(name), "x").unwrap();
    let set = place.tree().sources(&globs(&["a?*.c"]), 0).unwrap();
    let EntryPath::In(path) = &set.entries[0].path else {
        panic!("outside")
    };
    assert_eq!(path.as_bytes(), b"a\xff\n'.c");
    assert_eq!(set.entries[0].digest, digest("x"));
}

#[test]
fn literals_must_be_files() {
    let place = Place::with(&["src/a.c"]);
    symlink("nowhere", place.path("broken")).unwrap();
    symlink("loop", place.path("loop")).unwrap();
    symlink("src", place.path("link")).unwrap();
    assert_eq!(place.fails(&literal("no.c")), "`no.c` does not exist");
    assert_eq!(
        place.fails(&literal("src/a.c/x")),
        "`src/a.c/x` does not exist"
    );
    assert_eq!(
        place.fails(&literal("src")),
        "`src` is a folder; write `src/` for all in it"
    );
    assert_eq!(
        place.fails(&literal("broken")),
        "`broken` is a link that leads nowhere"
    );
    assert_eq!(
        place.fails(&literal("loop")),
        "`loop` is a link that leads nowhere"
    );
    assert_eq!(
        place.fails(&literal("link")),
        "`link` is a link to a folder; name the folder itself"
    );
    assert_eq!(
        place.fails(&literal("/nonexistent/x")),
        "`/nonexistent/x` does not exist"
    );
    assert_eq!(
        place.fails(&literal("/")),
        "`/` is a folder; write `//` for all in it"
    );
}

#[test]
fn files_outside_are_taken_by_name() {
    let (place, other) = (Place::new(), Place::with(&["x"]));
    let path = other.path("x").to_str().unwrap().to_owned();
    let set = place.tree().sources(&literal(&path), 0).unwrap();
    assert_eq!(set.entries[0].path, EntryPath::Outside(path));
    assert_eq!(set.entries[0].digest, digest("x"));
}

#[test]
fn what_is_no_file_is_refused_without_being_read() {
    let place = Place::with(&["a"]);
    fifo(&place.path("pipe.c"));
    symlink("pipe.c", place.path("link.c")).unwrap();
    let refused = "`pipe.c` is no regular file but a FIFO, a socket or a device";
    assert_eq!(place.fails(&literal("pipe.c")), refused);
    assert_eq!(place.fails(&globs(&["p*.c"])), refused);
    assert!(
        place
            .fails(&globs(&["l*.c"]))
            .starts_with("`link.c` is no regular file")
    );
    assert_eq!(
        place.tree().look(&at("pipe.c"), 0).unwrap_err().to_string(),
        refused
    );
    assert_eq!(
        place
            .tree()
            .outputs(&outputs(&["*.c"]), 0)
            .unwrap_err()
            .to_string(),
        "`pipe.c` is no regular file but a FIFO, a socket or a device"
    );
    let mut sources = globs(&["*"]);
    sources.excludes = vec![pattern("*.c")];
    assert_eq!(place.found(&sources), ["a"]);
}

#[test]
fn links_to_files_count_by_text_and_content() {
    let place = Place::with(&["real", "other"]);
    symlink("real", place.path("link")).unwrap();
    let look = || {
        place
            .tree()
            .sources(&globs(&["link"]), 0)
            .unwrap()
            .entries
            .remove(0)
    };
    let glob = || {
        place
            .tree()
            .sources(&globs(&["lin?"]), 0)
            .unwrap()
            .entries
            .remove(0)
    };
    let first = glob();
    assert_eq!(first.kind, Kind::Link);
    assert_eq!(first, look());
    assert_eq!(place.tree().changed(std::slice::from_ref(&first)), []);
    place.write("real", "edited");
    let second = glob();
    assert_ne!(second.digest, first.digest, "content");
    assert_eq!(
        place.tree().changed(std::slice::from_ref(&first)),
        std::slice::from_ref(&first.path)
    );
    place.write("other", "edited");
    fs::remove_file(place.path("link")).unwrap();
    symlink("other", place.path("link")).unwrap();
    assert_ne!(glob().digest, second.digest, "text");
    assert!(place.tree().still(&glob(), 0).unwrap());
    assert!(!place.tree().still(&second, 0).unwrap());
}

#[test]
fn links_that_lead_nowhere_or_to_folders_count_by_text_in_globs() {
    let place = Place::with(&["src/a.c"]);
    for (name, text) in [("broken", "nowhere"), ("loop", "loop"), ("link", "src")] {
        symlink(text, place.path(name)).unwrap();
    }
    let set = place.tree().sources(&globs(&["**"]), 0).unwrap();
    assert_eq!(names(&set.entries), ["broken", "link", "loop", "src/a.c"]);
    assert_eq!(set.entries[0].digest, digest("nowhere"));
    assert_eq!(place.found(&globs(&["link/*.c"])), Vec::<String>::new());
}

#[test]
fn what_was_seen_is_believed_until_time_moves_on() {
    let place = Place::with(&["a.c"]);
    let tree = place.tree();
    let sources = globs(&["*.c"]);
    let seen = |since| tree.sources(&sources, since).unwrap().entries;
    assert_eq!(names(&seen(0)), ["a.c"]);
    place.write("a.c", "new");
    place.write("b.c", "b");
    assert_eq!(
        (names(&seen(0)), seen(0)[0].digest),
        (vec!["a.c".to_owned()], digest("a.c"))
    );
    let since = tree.advance();
    assert_eq!((tree.now(), since), (1, 1));
    assert_eq!(
        (names(&seen(since)), seen(since)[0].digest),
        (vec!["a.c".to_owned(), "b.c".to_owned()], digest("new"))
    );
    fs::remove_file(place.path("a.c")).unwrap();
    let since = tree.advance();
    assert_eq!(names(&seen(since)), ["b.c"]);
}

#[test]
fn a_clean_entry_is_believed_and_a_racy_one_is_not() {
    let place = Place::with(&["a"]);
    place.pretend(&[("a", "pretended")], true);
    assert_eq!(place.digest("a"), digest("pretended"));
    place.pretend(&[("a", "pretended")], false);
    assert_eq!(place.digest("a"), digest("a"));
}

#[test]
fn any_change_of_identity_is_a_reason_to_read() {
    let place = Place::with(&["a"]);
    let time = fs::metadata(place.path("a")).unwrap().modified().unwrap();
    let file = || {
        fs::File::options()
            .write(true)
            .open(place.path("a"))
            .unwrap()
    };
    // The same size, and the time put back: the ctime tells.
    place.pretend(&[("a", "old")], true);
    place.write("a", "b");
    file().set_modified(time).unwrap();
    assert_eq!(place.digest("a"), digest("b"));
    // Touched, and nothing else.
    place.pretend(&[("a", "old")], true);
    file()
        .set_modified(time + std::time::Duration::from_secs(9))
        .unwrap();
    assert_eq!(place.digest("a"), digest("b"));
    // Another file with the same times and size.
    place.pretend(&[("a", "old")], true);
    place.write("c", "c");
    fs::rename(place.path("c"), place.path("a")).unwrap();
    file().set_modified(time).unwrap();
    assert_eq!(place.digest("a"), digest("c"));
    // The exec bit.
    place.pretend(&[("a", "old")], true);
    fs::set_permissions(place.path("a"), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(place.digest("a"), digest("c"));
}

#[test]
fn what_was_just_written_is_racy_and_what_is_young_stays_so() {
    let place = Place::with(&["a"]);
    let tree = place.tree();
    tree.look(&at("a"), 0).unwrap();
    tree.save().unwrap();
    let next = place.tree();
    let known = next.looker.stat.file(b"a").unwrap();
    assert_eq!(known.content, Content::File(digest("a")));
    assert_eq!(known.identity, tree.look(&at("a"), 0).unwrap().identity);
    assert_eq!(
        fs::metadata(place.path("a")).unwrap().size(),
        known.identity.size
    );
}

#[test]
fn the_stat_cache_is_written_only_for_news_and_forgets_what_is_gone() {
    let place = Place::with(&["a", "b", "c"]);
    place.pretend(&[("a", "a"), ("b", "b"), ("c", "c")], true);
    let written = || fs::metadata(place.path(".pipe/stat")).unwrap().ino();
    let before = written();
    let tree = place.tree();
    tree.look(&at("a"), 0).unwrap();
    tree.save().unwrap();
    assert_eq!(written(), before, "no news");
    fs::remove_file(place.path("b")).unwrap();
    let tree = place.tree();
    tree.look(&at("b"), 0).unwrap();
    tree.save().unwrap();
    assert_ne!(written(), before);
    let cache = place.tree();
    assert!(cache.looker.stat.file(b"a").is_some() && cache.looker.stat.file(b"c").is_some());
    assert!(cache.looker.stat.file(b"b").is_none());
}

#[test]
fn a_damaged_stat_cache_costs_time_only() {
    let place = Place::with(&["a"]);
    place.write(".pipe/stat", "pipestat but not really");
    assert_eq!(place.digest("a"), digest("a"));
}

#[test]
fn listings_are_believed_by_the_folder_s_identity() {
    let place = Place::with(&["src/a.c", "src/b.c"]);
    let identity = place
        .tree()
        .looker
        .folder_identity(b"src")
        .unwrap()
        .unwrap();
    let save = |clean| {
        let known = Known {
            identity,
            clean,
            content: Content::Folder(b"fa.c\0"),
        };
        stat::save(
            &place.path(".pipe/stat"),
            std::iter::once((&b"src"[..], known)),
        )
        .unwrap();
    };
    save(true);
    assert_eq!(place.found(&globs(&["src/*.c"])), ["src/a.c"]);
    save(false);
    assert_eq!(place.found(&globs(&["src/*.c"])), ["src/a.c", "src/b.c"]);
    save(true);
    place.write("src/c.c", "c");
    assert_eq!(
        place.found(&globs(&["src/*.c"])),
        ["src/a.c", "src/b.c", "src/c.c"]
    );
}

#[test]
fn many_files_are_read_by_many_threads() {
    let place = Place::new();
    for number in 0..700 {
        place.write(&format!("d{}/f{number}", number % 7), &number.to_string());
    }
    place.write("big", &"x".repeat(9 << 20));
    let tree = place.tree();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let entries = tree.sources(&globs(&["d*/*", "big"]), 0).unwrap().entries;
                assert_eq!(entries.len(), 701);
                for entry in &entries[1..] {
                    let name = entry.path.display();
                    assert_eq!(entry.digest, digest(name.split_once('f').unwrap().1));
                }
            });
        }
    });
    assert_eq!(
        tree.changed(&tree.sources(&globs(&["d*/*"]), 0).unwrap().entries),
        []
    );
    place.write("d0/f0", "changed");
    assert_eq!(
        tree.changed(&tree.sources(&globs(&["d*/*"]), 0).unwrap().entries)
            .len(),
        1
    );
}

#[test]
fn looking_tells_kinds() {
    let place = Place::with(&["full/a"]);
    fs::create_dir(place.path("empty")).unwrap();
    symlink("full", place.path("link")).unwrap();
    let tree = place.tree();
    let kind = |name: &str| tree.look(&at(name), 0).unwrap().kind;
    assert_eq!(
        (kind("none"), kind("empty"), kind("full/a")),
        (Kind::Absent, Kind::EmptyFolder, Kind::File)
    );
    let link = tree.look(&at("link"), 0).unwrap();
    assert_eq!((link.kind, link.digest), (Kind::Link, digest("full")));
    assert!(matches!(
        tree.look(&at("full"), 0),
        Err(TreeError::Folder(_))
    ));
}

#[test]
fn outputs_cover_files_links_and_empty_folders() {
    let place = Place::with(&[
        "bin/app",
        "dist/a",
        "dist/deep/b",
        "dist/cache/x",
        "dist/.pipe-tmp-1",
        "gen/a.o",
        "gen/a.c",
        "gen/node_modules/a.o",
    ]);
    fs::create_dir_all(place.path("dist/empty")).unwrap();
    fs::create_dir_all(place.path("only/cache")).unwrap();
    symlink("a", place.path("dist/link")).unwrap();
    let declared = outputs(&[
        "bin/app",
        "no",
        "dist/",
        "gen/**/*.o",
        "!dist/cache/",
        "only/",
        "!only/cache/",
    ]);
    let tree = place.tree();
    let entries = tree.outputs(&declared, 0).unwrap();
    let wanted = [
        "bin/app",
        "dist/a",
        "dist/deep/b",
        "dist/empty",
        "dist/link",
        "gen/a.o",
        "gen/node_modules/a.o",
        "only",
    ];
    assert_eq!(names(&entries), wanted);
    let kinds: Vec<_> = entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds[3..6], [Kind::EmptyFolder, Kind::Link, Kind::File]);
    assert_eq!(entries[4].digest, digest("a"));
    let paths = tree.output_paths(&declared).unwrap();
    assert_eq!(
        paths
            .iter()
            .map(|(path, _)| path.to_string())
            .collect::<Vec<_>>(),
        wanted
    );
    assert!(
        paths
            .iter()
            .zip(&entries)
            .all(|((_, kind), entry)| *kind == entry.kind)
    );
    assert!(
        tree.still_all(&entries, 0)
            .unwrap()
            .iter()
            .all(|still| *still)
    );
}

#[test]
fn outputs_never_cover_the_checkout_or_the_state() {
    let place = Place::with(&["a", ".git/config", ".pipe/kept/x", "sub/.git/config"]);
    let tree = place.tree();
    assert_eq!(names(&tree.outputs(&outputs(&["**"]), 0).unwrap()), ["a"]);
    assert_eq!(
        names(&tree.outputs(&outputs(&["./"]), 0).unwrap()),
        ["a", "sub/.git/config"]
    );
    assert_eq!(
        names(
            &tree
                .outputs(&outputs(&[".git/", ".pipe/kept/x"]), 0)
                .unwrap()
        ),
        Vec::<String>::new()
    );
}

#[test]
fn what_stands_in_the_place_of_an_output_is_told_not_entered() {
    let place = Place::with(&["precious/x", "bin/app/x", "file"]);
    symlink("precious", place.path("dist")).unwrap();
    let tree = place.tree();
    let covered = |texts: &[&str]| {
        let declared = outputs(texts);
        let paths = tree.output_paths(&declared).unwrap();
        (
            names(&tree.outputs(&declared, 0).unwrap()),
            paths.into_iter().map(|(_, kind)| kind).collect::<Vec<_>>(),
        )
    };
    assert_eq!(covered(&["dist/"]), (vec!["dist".into()], vec![Kind::Link]));
    assert_eq!(covered(&["dist/*"]), (vec![], vec![]));
    assert_eq!(covered(&["file/"]), (vec!["file".into()], vec![Kind::File]));
    assert_eq!(covered(&["bin/app"]), (vec![], vec![Kind::EmptyFolder]));
}

#[test]
fn outputs_are_asked_anew_even_if_time_stands_still() {
    let place = Place::with(&["dist/a"]);
    let tree = place.tree();
    let declared = outputs(&["dist/"]);
    assert_eq!(names(&tree.outputs(&declared, 0).unwrap()), ["dist/a"]);
    fs::remove_dir_all(place.path("dist")).unwrap();
    tree.forget(&at("dist"));
    assert!(tree.outputs(&declared, 0).unwrap().is_empty());
    place.write("dist/a", "new");
    let learned = tree.learn(&at("dist/a"), digest("new")).unwrap();
    assert_eq!(tree.outputs(&declared, 0).unwrap(), [learned]);
}

#[test]
fn what_was_learned_is_believed_in_this_run_only() {
    let place = Place::with(&["a"]);
    let tree = place.tree();
    let entry = tree.learn(&at("a"), digest("told")).unwrap();
    assert_eq!(tree.look(&at("a"), 0).unwrap(), entry);
    assert!(tree.still(&entry, 0).unwrap());
    tree.save().unwrap();
    assert_eq!(place.digest("a"), digest("a"));
    assert!(matches!(
        tree.learn(&at("none"), digest("")),
        Err(TreeError::Missing(_))
    ));
}

#[test]
fn still_tells_edits_modes_and_kinds() {
    let place = Place::with(&["a", "b", "c", "d/x"]);
    let tree = place.tree();
    let entries: Vec<_> = ["a", "b", "c", "d/x", "none"]
        .iter()
        .map(|name| tree.look(&at(name), 0).unwrap())
        .collect();
    let since = tree.advance();
    assert_eq!(tree.still_all(&entries, since).unwrap(), [true; 5]);
    place.write("a", "b");
    fs::set_permissions(place.path("b"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(place.path("c")).unwrap();
    fs::create_dir(place.path("c")).unwrap();
    fs::remove_dir_all(place.path("d")).unwrap();
    place.write("none", "");
    let since = tree.advance();
    assert_eq!(tree.still_all(&entries, since).unwrap(), [false; 5]);
    assert_eq!(tree.changed(&entries).len(), 5);
}

#[test]
fn forgetting_a_folder_forgets_what_is_below() {
    let place = Place::with(&["dist/a/b", "distant"]);
    let tree = place.tree();
    tree.outputs(&outputs(&["dist/", "distant"]), 0).unwrap();
    fs::remove_dir_all(place.path("dist")).unwrap();
    fs::write(place.path("distant"), "edited").unwrap();
    tree.forget(&at("dist"));
    assert_eq!(tree.look(&at("dist/a/b"), 0).unwrap().kind, Kind::Absent);
    assert_eq!(
        tree.look(&at("distant"), 0).unwrap().digest,
        digest("distant"),
        "still believed"
    );
}

#[test]
fn the_temporary_prefix_is_the_same_in_both_rooms() {
    assert_eq!(crate::glob::TEMP_PREFIX, crate::sys::fs::TEMP_PREFIX);
}

#[test]
fn who_may_not_read_is_told_so() {
    let place = Place::with(&["src/a.c"]);
    fs::set_permissions(place.path("src"), fs::Permissions::from_mode(0o000)).unwrap();
    let result = place.tree().sources(&globs(&["src/*.c"]), 0);
    fs::set_permissions(place.path("src"), fs::Permissions::from_mode(0o755)).unwrap();
    // Root may read all: then there is nothing to refuse.
    if let Err(error) = result {
        assert!(
            error
                .to_string()
                .starts_with("cannot read the folder `src`: "),
            "{error}"
        );
    }
}
