//! Links in the documents: each that points into this tree must point at something.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Checks every Markdown file that belongs to the project.
pub fn check(root: &Path) -> Result<()> {
    let mut files = Vec::new();
    markdown_below(root, &mut files)?;
    let mut broken = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let folder = file.parent().unwrap_or(root);
        for (line, target) in links(&text) {
            if is_broken(folder, &text, &target) {
                broken.push(format!("{}:{line}: {target}", file.strip_prefix(root).unwrap_or(file).display()));
            }
        }
    }
    if !broken.is_empty() {
        bail!("links that lead nowhere:\n{}", broken.join("\n"));
    }
    eprintln!("{} documents, no broken link.", files.len());
    Ok(())
}

fn markdown_below(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let foreign = name.starts_with('.') || ["target", "node_modules", "dist", "test-artifacts"].contains(&&*name);
        if foreign {
            continue;
        }
        if path.is_dir() {
            markdown_below(&path, files)?;
        } else if name.ends_with(".md") {
            files.push(path);
        }
    }
    Ok(())
}

/// The targets of `[text](target)` with the lines that they are on, fenced code left out.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let mut rest = line;
        while let Some(start) = rest.find("](") {
            rest = &rest[start + 2..];
            if let Some(end) = rest.find(')') {
                found.push((number + 1, rest[..end].to_owned()));
            }
        }
    }
    found
}

fn is_broken(folder: &Path, text: &str, target: &str) -> bool {
    if ["http://", "https://", "mailto:"].iter().any(|scheme| target.starts_with(scheme)) {
        return false;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    if path.is_empty() {
        return !has_anchor(text, anchor);
    }
    let path = folder.join(path);
    if !path.exists() {
        return true;
    }
    // An anchor in a file that is no document is for the reader's tool.
    !anchor.is_empty()
        && path.extension().is_some_and(|extension| extension == "md")
        && !fs::read_to_string(path).is_ok_and(|text| has_anchor(&text, anchor))
}

/// Whether a heading of the text makes this anchor: lower case, hyphens for spaces, punctuation dropped.
fn has_anchor(text: &str, anchor: &str) -> bool {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| slug(line.trim_start_matches('#').trim())).any(|slug| slug == anchor)
}

fn slug(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_links_outside_code() {
        let text = "see [a](one.md) and [b](two.md#x)\n```\n[c](three.md)\n```\n";
        assert_eq!(links(text), [(1, "one.md".to_owned()), (1, "two.md#x".to_owned())]);
    }

    #[test]
    fn anchors_are_headings() {
        let text = "# Where to read on\n## `[smtp]`, in short\n";
        assert!(has_anchor(text, "where-to-read-on") && has_anchor(text, "smtp-in-short"));
        assert!(!has_anchor(text, "elsewhere"));
    }

    #[test]
    fn the_documents_are_whole() {
        check(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()).unwrap();
    }
}
