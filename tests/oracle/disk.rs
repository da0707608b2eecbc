//! The files of a workspace: as they should be, and as they are.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

/// What stands at a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Node {
    File {
        text: String,
        exec: bool,
    },
    Link(String),
    /// A folder without anything in it.
    Folder,
}

/// Paths from the root, and what stands there.
pub(crate) type Disk = BTreeMap<String, Node>;

impl Node {
    /// A file.
    pub(super) fn file(text: impl Into<String>, exec: bool) -> Self {
        let text = text.into();
        Self::File { text, exec }
    }
}

/// Text and exec bit of the file at `path`; a link is followed.
pub(super) fn follow<'d>(disk: &'d Disk, path: &str) -> Option<(&'d str, bool)> {
    match disk.get(path)? {
        Node::File { text, exec } => Some((text, *exec)),
        Node::Link(target) => match disk.get(&format!("{}/{target}", parent(path)))? {
            Node::File { text, exec } => Some((text, *exec)),
            _ => None,
        },
        Node::Folder => None,
    }
}

/// The folder that `path` is in.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// All that stands in `root`, without `.pipe` and the pipeline file. What goes while it is looked at
/// is not there.
pub(crate) fn read_tree(root: &Path) -> Disk {
    let mut found = Disk::new();
    let mut open = vec![String::new()];
    while let Some(folder) = open.pop() {
        let names = fs::read_dir(root.join(&folder))
            .into_iter()
            .flatten()
            .flatten();
        let mut is_empty = true;
        for entry in names {
            is_empty = false;
            let name = entry.file_name().into_string().unwrap();
            let path = if folder.is_empty() {
                name
            } else {
                format!("{folder}/{name}")
            };
            match read(&root.join(&path)) {
                _ if [".pipe", "pipe.yaml"].contains(&&*path) => {}
                Some(Node::Folder) => open.push(path),
                Some(node) => drop(found.insert(path, node)),
                None => {}
            }
        }
        if is_empty && !folder.is_empty() {
            found.insert(folder, Node::Folder);
        }
    }
    found
}

/// What stands at `path`; any folder is `Folder`.
fn read(path: &Path) -> Option<Node> {
    let facts = path.symlink_metadata().ok()?;
    if facts.is_dir() {
        Some(Node::Folder)
    } else if facts.is_symlink() {
        let target = fs::read_link(path).ok()?;
        Some(Node::Link(target.into_os_string().into_string().ok()?))
    } else {
        Some(Node::file(
            fs::read_to_string(path).ok()?,
            facts.mode() & 0o100 != 0,
        ))
    }
}

/// Puts something at a path, over what is there; a file keeps its inode.
pub(super) fn put(root: &Path, path: &str, node: &Node) {
    let place = root.join(path);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    match node {
        Node::File { text, exec } => {
            fs::write(&place, text).unwrap();
            set_exec(&place, *exec);
        }
        Node::Link(target) => {
            take(root, path);
            symlink(target, &place).unwrap();
        }
        Node::Folder => fs::create_dir_all(&place).unwrap(),
    }
}

fn set_exec(place: &Path, exec: bool) {
    let mode = if exec { 0o755 } else { 0o644 };
    fs::set_permissions(place, fs::Permissions::from_mode(mode)).unwrap();
}

/// Removes what is at a path, if anything is.
pub(super) fn take(root: &Path, path: &str) {
    let place = root.join(path);
    let removed = match place.symlink_metadata() {
        Ok(facts) if facts.is_dir() => fs::remove_dir_all(&place),
        Ok(_) => fs::remove_file(&place),
        Err(_) => Ok(()),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => panic!("{}: {error}", place.display()),
        _ => {}
    }
}
