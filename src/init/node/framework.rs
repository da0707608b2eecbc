//! Web frameworks: by which file one is known, and where its build goes.

use super::super::files::Files;

/// How a package is built.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framework {
    /// `next.config.*`.
    Next,
    /// `astro.config.*`.
    Astro,
    /// `svelte.config.*`.
    SvelteKit,
    /// `vite.config.*`.
    Vite,
    /// None that is known.
    Plain,
}
use Framework::{Astro, Next, Plain, SvelteKit, Vite};

/// By which file each is known, or by which package. SvelteKit and Astro stand on Vite, so they are
/// looked for first.
const KNOWN: [(Framework, &str, &str); 4] = [
    (Next, "next.config.", "next"),
    (Astro, "astro.config.", "astro"),
    (SvelteKit, "svelte.config.", "@sveltejs/kit"),
    (Vite, "vite.config.", "vite"),
];

/// Where a build goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Built {
    /// As `outputs` has it.
    pub outputs: Vec<String>,
    /// Whether it is a guess that a person should look at.
    pub guessed: bool,
}

impl Framework {
    /// The framework of the package whose folder this is.
    pub fn of(files: &Files) -> Self {
        let known = KNOWN.iter().find(|(framework, stem, package)| {
            // A Svelte application without SvelteKit has such a file too, and so has Vite.
            let by_file = *framework != SvelteKit || !depends(files, "vite");
            depends(files, package) || by_file && config(files, stem).is_some()
        });
        known.map_or(Plain, |(framework, ..)| *framework)
    }

    /// Its name with an article: `an Astro`.
    pub fn name(self) -> &'static str {
        match self {
            Next => "a Next.js",
            Astro => "an Astro",
            SvelteKit => "a SvelteKit",
            Vite => "a Vite",
            Plain => "a Node",
        }
    }

    /// Where its build goes, as far as configuration and dependencies tell.
    pub fn built(self, files: &Files) -> Built {
        let sure = |outputs: &[&str]| Built {
            outputs: outputs.iter().map(|output| (*output).to_owned()).collect(),
            guessed: false,
        };
        let configured = |stem: &str, key: &str, default: &str| match literal(files, stem, key) {
            Some(folder) => sure(&[&folder]),
            None => sure(&[default]),
        };
        match self {
            Next if literal(files, "next.config.", "output").as_deref() == Some("export/") => {
                sure(&[".next/", "!.next/cache/", "!.next/dev/", "out/"])
            }
            Next => sure(&[".next/", "!.next/cache/", "!.next/dev/"]),
            Astro => configured("astro.config.", "outDir", "dist/"),
            Vite => configured("vite.config.", "outDir", "dist/"),
            SvelteKit if depends(files, "@sveltejs/adapter-auto") => sure(&[".svelte-kit/output/"]),
            SvelteKit if depends(files, "@sveltejs/adapter-vercel") => sure(&[".vercel/output/"]),
            SvelteKit if depends(files, "@sveltejs/adapter-cloudflare") => {
                sure(&[".svelte-kit/cloudflare/"])
            }
            SvelteKit => sure(&["build/"]),
            Plain => match literal(files, "tsconfig.json", "outDir") {
                Some(folder) => sure(&[&folder]),
                None => Built {
                    guessed: true,
                    ..sure(&["dist/"])
                },
            },
        }
    }

    /// What it writes beside its outputs: no step reads that.
    pub fn caches(self) -> &'static [&'static str] {
        match self {
            Next => &[".next/", "next-env.d.ts"],
            Astro => &[".astro/"],
            SvelteKit => &[".svelte-kit/"],
            Vite | Plain => &[],
        }
    }

    /// What it keeps among the installed packages.
    pub fn caches_of_packages(self) -> &'static [&'static str] {
        match self {
            Next | Plain => &["node_modules/.cache/"],
            Astro | SvelteKit | Vite => &[
                "node_modules/.astro/",
                "node_modules/.cache/",
                "node_modules/.tmp/",
                "node_modules/.vite/",
                "node_modules/.vite-temp/",
            ],
        }
    }

    /// How the names of variables begin that it puts into what it builds.
    pub fn variables(self) -> Option<&'static str> {
        match self {
            Next => Some("NEXT_PUBLIC_"),
            Astro | SvelteKit => Some("PUBLIC_"),
            Vite => Some("VITE_"),
            Plain => None,
        }
    }
}

/// The configuration file whose name begins with `stem`.
fn config<'a>(files: &'a Files, stem: &str) -> Option<&'a str> {
    files.paths().find(|path| path.starts_with(stem))
}

/// Whether `package.json` names a package among those that it needs.
pub(super) fn depends(files: &Files, package: &str) -> bool {
    let manifest: serde_json::Value = files
        .text("package.json")
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    ["dependencies", "devDependencies"]
        .iter()
        .any(|kind| manifest[*kind].get(package).is_some())
}

/// The folder that a configuration file gives `key` as a literal: `outDir: 'x'`, `"outDir": "./x"`.
fn literal(files: &Files, stem: &str, key: &str) -> Option<String> {
    let text = files.text(config(files, stem)?)?;
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//"));
    let mut values = lines.filter_map(|line| {
        let (_, rest) = line.split_once(key)?;
        let rest = rest
            .trim_start_matches(['"', '\''])
            .trim_start()
            .strip_prefix(':')?
            .trim_start();
        let quote = rest.chars().next().filter(|c| ['"', '\''].contains(c))?;
        rest[1..].split_once(quote).map(|(value, _)| value)
    });
    let folder = values
        .next()?
        .trim_start_matches("./")
        .trim_end_matches('/');
    let stays =
        !folder.is_empty() && !folder.starts_with(['/', '.', '$']) && !folder.contains("..");
    stays.then(|| format!("{folder}/"))
}
