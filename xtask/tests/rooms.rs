//! The house rules that a compiler does not check: which room may use which, and what must not occur where.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_owned()
}

/// The table in docs/ARCHITECTURE.md: room -> rooms it may use.
fn allowed() -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("docs/ARCHITECTURE.md");
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<String>>();
    text.lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>())
        .filter(|cells| cells.len() == 5)
        .map(|cells| (cells[1].trim_matches('`').to_owned(), names(cells[3])))
        .collect()
}

/// What Cargo says: room -> rooms it uses, tests' uses apart.
fn used(manifest: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(manifest)
        .output()
        .expect("cargo metadata runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&out.stdout).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let rooms = package["dependencies"].as_array().expect("dependencies").iter();
            let rooms = rooms.filter(|d| d["path"].is_string() && d["kind"] != "dev");
            let rooms = rooms.map(|d| d["name"].as_str().unwrap_or_default().to_owned()).collect();
            (package["name"].as_str().unwrap_or_default().to_owned(), rooms)
        })
        .collect()
}

#[test]
fn rooms_use_only_what_the_table_allows() {
    let allowed = allowed();
    for (room, uses) in used(&root().join("Cargo.toml")) {
        let may = allowed.get(&room).unwrap_or_else(|| panic!("{room} is not in docs/ARCHITECTURE.md"));
        let more: Vec<_> = uses.difference(may).collect();
        assert!(more.is_empty(), "{room} uses {more:?}, which docs/ARCHITECTURE.md does not allow");
    }
}

/// The Rust files of a room.
fn sources(room: &str) -> Vec<PathBuf> {
    fn walk(dir: &Path, out: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                out.push(path);
            }
        }
    }
    let mut files = Vec::new();
    walk(&root().join(room).join("src"), &mut files);
    assert!(!files.is_empty(), "{room} has sources");
    files
}

/// Non-test source lines of a room with their places. Test modules stand at the end of a file, so reading stops there.
fn lines(room: &str) -> Vec<(String, String)> {
    let files = sources(room).into_iter().filter(|path| !path.ends_with("tests.rs"));
    let mut out = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a source file");
        let name = file.strip_prefix(root()).unwrap_or(&file).display().to_string();
        for (n, line) in text.lines().enumerate() {
            if line.trim() == "#[cfg(test)]" {
                break;
            }
            if !line.trim_start().starts_with("//") {
                out.push((format!("{name}:{}", n + 1), line.to_owned()));
            }
        }
    }
    out
}

/// The numbers behind every `RFC ` in a text.
fn cited(text: &str) -> BTreeSet<u32> {
    let numbers = text.split("RFC ").skip(1);
    numbers.filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()).collect()
}

#[test]
fn every_rfc_that_the_code_cites_is_listed() {
    let text = std::fs::read_to_string(root().join("docs/rfc.toml")).expect("docs/rfc.toml");
    let list: toml::Table = text.parse().expect("docs/rfc.toml is TOML");
    let entries = list["rfc"].as_array().expect("entries");
    let listed: BTreeSet<u32> = entries.iter().filter_map(|e| e["number"].as_integer()?.try_into().ok()).collect();
    assert_eq!(listed.len(), entries.len(), "an RFC is listed twice");
    for entry in entries {
        let status = entry["status"].as_str().unwrap_or_default();
        assert!(["yes", "partial", "planned", "no"].contains(&status), "{entry}");
    }
    for room in allowed().keys().filter(|room| *room != "packaging") {
        for path in sources(room) {
            let text = std::fs::read_to_string(&path).expect("a source file");
            let missing: Vec<u32> = cited(&text).difference(&listed).copied().collect();
            assert!(missing.is_empty(), "{} cites {missing:?}, which docs/rfc.toml does not list", path.display());
        }
    }
}

fn nowhere(rooms: &[&str], words: &[&str], why: &str) {
    let mut found = Vec::new();
    for room in rooms {
        for (place, line) in lines(room) {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{place}: {}", line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{why}:\n{}", found.join("\n"));
}

#[test]
fn sql_only_in_storage() {
    nowhere(
        &["mail", "dkim", "bounce", "world", "config", "mta", "campaign", "api-types", "daemon", "sandbox"],
        &["SELECT ", "INSERT INTO", "DELETE FROM", "rusqlite", "prepare_cached", "query_row"],
        "SQL belongs into storage",
    );
}

#[test]
fn wall_clock_only_in_world() {
    nowhere(
        &["mail", "dkim", "bounce", "config", "storage", "mta", "campaign", "api-types"],
        &["SystemTime::now", "Timestamp::now", "Zoned::now"],
        "the date comes from world::Clock",
    );
}

#[test]
fn every_table_of_somebody_carries_its_workspace() {
    // Tables that belong to nobody, or whose rows hang on one that carries the workspace.
    let exempt = [
        "workspace",
        "sign_in_link",
        "contact_tag",
        "message_content",
        "import_error",
        "meta",
        "unmatched_report",
        "mailbox_seen",
        "source_check",
        "sts_policy",
        "tls_result",
        "tls_report",
        "soft_bounce_rule",
    ];
    for file in ["main", "queue", "events"] {
        let dir = root().join("storage/src/schema").join(file);
        for entry in std::fs::read_dir(dir).expect("the schema").flatten() {
            let text = std::fs::read_to_string(entry.path()).expect("a migration");
            for table in text.split("CREATE TABLE ").skip(1) {
                let name = table.split_whitespace().next().unwrap_or_default();
                let body = table.split(") STRICT").next().unwrap_or_default();
                assert!(exempt.contains(&name) || body.contains("workspace_id"), "{name} has no workspace_id");
                assert!(table.contains(") STRICT"), "{name} is not STRICT");
            }
        }
    }
}
