//! Builds the console: `admin-ui` to WASM, its JavaScript glue, styles and fonts, into `admin-ui/dist`, from where the
//! daemon embeds it. Strategies: find a toolchain that can make WASM (rustup's target, else Debian's packages), generate the
//! glue with the library of exactly the locked version, put content hashes into file names, compress ahead of time.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use anyhow::{Context, Result, bail};

/// rustc's name for the browser.
pub const TARGET: &str = "wasm32-unknown-unknown";
/// What Debian and Ubuntu make WASM with.
pub const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-19"];
/// What `cargo run` leaves in the environment and another toolchain's cargo would obey.
const LEAKED: [&str; 6] =
    ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTC", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR"];

/// How to build the console.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Install the WASM target (rustup, else apt) when no toolchain here can make it.
    pub install_target: bool,
}

/// A toolchain that can make WASM here.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Toolchain {
    /// The default toolchain has the target.
    Target,
    /// Debian's `rustc-web`, which builds the standard library from its sources.
    Debian { linker: String },
}

/// Builds `admin-ui/dist` below `root`; does nothing more than ask cargo when nothing changed.
pub fn build(root: &Path, options: &Options) -> Result<()> {
    let console = root.join("admin-ui");
    let toolchain = match find_toolchain()? {
        Some(toolchain) => toolchain,
        None if options.install_target => install()?,
        None => bail!(
            "no Rust toolchain here can make WASM; run `rustup target add {TARGET}`, or on Debian and Ubuntu \
             `apt-get install {}`, or repeat with --install-target to have that done",
            DEBIAN_PACKAGES.join(" ")
        ),
    };
    let wasm = compile(&console, &toolchain)?;
    let fonts = fonts(&console);
    let stamp = stamp(&wasm, &console.join("web"), &fonts)?;
    let stamp_file = console.join("target/ui.stamp");
    let dist = console.join("dist");
    if dist.join("index.html").exists() && fs::read_to_string(&stamp_file).is_ok_and(|old| old == stamp) {
        return Ok(());
    }
    let fresh = console.join("target/dist-new");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).context("cannot clear admin-ui/target/dist-new")?;
    }
    fs::create_dir_all(fresh.join("assets"))?;
    bundle(&console, &fresh, &wasm, &fonts)?;
    // Swapped whole, so that a daemon being compiled never embeds half a console.
    if dist.exists() {
        fs::remove_dir_all(&dist).context("cannot replace admin-ui/dist")?;
    }
    fs::rename(&fresh, &dist).context("cannot move the new console to admin-ui/dist")?;
    fs::write(stamp_file, stamp)?;
    Ok(())
}

/// Whether a toolchain here can make WASM.
pub fn can_build() -> Result<bool> {
    Ok(find_toolchain()?.is_some())
}

fn find_toolchain() -> Result<Option<Toolchain>> {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).env_remove("RUSTC").output();
    if let Ok(output) = sysroot {
        let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        if sysroot.join("lib/rustlib").join(TARGET).join("lib").exists() {
            return Ok(Some(Toolchain::Target));
        }
    }
    let sources = Path::new("/usr/lib/rustlib/src/rust/library/Cargo.lock");
    let tools = ["/usr/bin/rustc", "/usr/bin/cargo"].iter().all(|tool| Path::new(tool).exists());
    if !tools || !sources.exists() {
        return Ok(None);
    }
    let linkers = ["wasm-ld-19", "wasm-ld-20", "wasm-ld-21", "wasm-ld"];
    let linker = linkers.iter().find(|name| Path::new("/usr/bin").join(name).exists());
    Ok(linker.map(|name| Toolchain::Debian { linker: (*name).to_owned() }))
}

/// Installs a toolchain for WASM: rustup's target where rustup is and can fetch it, else Debian's packages.
fn install() -> Result<Toolchain> {
    eprintln!("The console is compiled to WASM and no toolchain here can do that yet.");
    eprintln!("Installing it: rustup target add {TARGET}");
    let rustup = Command::new("rustup").args(["target", "add", TARGET]).status();
    if !rustup.is_ok_and(|status| status.success()) {
        eprintln!("That did not work. Installing Debian's: apt-get install {}", DEBIAN_PACKAGES.join(" "));
        let sudo = !is_root();
        let mut command = if sudo { Command::new("sudo") } else { Command::new("apt-get") };
        if sudo {
            command.arg("apt-get");
        }
        let status = command
            .args(["install", "-y", "--no-install-recommends"])
            .args(DEBIAN_PACKAGES)
            .status()
            .context("cannot run apt-get")?;
        if !status.success() {
            bail!("apt-get could not install {}", DEBIAN_PACKAGES.join(" "));
        }
    }
    find_toolchain()?.context("the toolchain was installed, and still nothing here makes WASM")
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn compile(console: &Path, toolchain: &Toolchain) -> Result<Vec<u8>> {
    let mut command = match toolchain {
        Toolchain::Target => Command::new("cargo"),
        Toolchain::Debian { .. } => Command::new("/usr/bin/cargo"),
    };
    for name in LEAKED {
        command.env_remove(name);
    }
    command.current_dir(console).args(["build", "--release", "--locked", "--package", "admin-ui", "--target", TARGET]);
    if let Toolchain::Debian { linker } = toolchain {
        command
            .arg("-Zbuild-std=std,panic_abort")
            .env("RUSTC", "/usr/bin/rustc")
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
    let status = command.status().context("cannot run cargo for the console")?;
    if !status.success() {
        bail!("the console does not compile, see above");
    }
    let path = console.join("target").join(TARGET).join("release/admin_ui.wasm");
    fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// A font file with the characters that are in it.
struct Font {
    subset: &'static str,
    unicode_range: &'static str,
    bytes: Vec<u8>,
}

/// Inter, through npm. Without npm or network the console uses the system's font.
fn fonts(console: &Path) -> Vec<Font> {
    let folder = console.join("node_modules/@fontsource-variable/inter/files");
    if !folder.exists() {
        let npm = Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(console)
            .status();
        if !npm.is_ok_and(|status| status.success()) {
            eprintln!("The font Inter could not be fetched through npm: the console will use the system's font.");
        }
    }
    let subsets = [
        (
            "latin",
            "U+0000-00FF,U+0131,U+0152-0153,U+02BB-02BC,U+02C6,U+02DA,U+02DC,U+0304,U+0308,U+0329,\
             U+2000-206F,U+20AC,U+2122,U+2191,U+2193,U+2212,U+2215,U+FEFF,U+FFFD",
        ),
        (
            "latin-ext",
            "U+0100-02BA,U+02BD-02C5,U+02C7-02CC,U+02CE-02D7,U+02DD-02FF,U+0304,U+0308,U+0329,U+1D00-1DBF,\
             U+1E00-1E9F,U+1EF2-1EFF,U+2020,U+20A0-20AB,U+20AD-20C0,U+2113,U+2C60-2C7F,U+A720-A7FF",
        ),
    ];
    subsets
        .into_iter()
        .filter_map(|(subset, unicode_range)| {
            let bytes = fs::read(folder.join(format!("inter-{subset}-wght-normal.woff2"))).ok()?;
            Some(Font { subset, unicode_range, bytes })
        })
        .collect()
}

/// Puts everything below `dist`: hashed files in `assets/`, and the page that names them.
fn bundle(console: &Path, dist: &Path, wasm: &[u8], fonts: &[Font]) -> Result<()> {
    let (glue, wasm) = bindgen(wasm)?;
    let wasm_name = put(dist, "console", "wasm", &wasm)?;
    let glue_name = put(dist, "console", "js", glue.as_bytes())?;
    let web = console.join("web");
    let boot = fs::read_to_string(web.join("boot.js")).context("cannot read admin-ui/web/boot.js")?;
    let boot = boot.replace("{{glue}}", &glue_name).replace("{{wasm}}", &wasm_name);
    let boot_name = put(dist, "boot", "js", boot.as_bytes())?;
    let theme_name = put(dist, "theme", "js", &fs::read(web.join("theme.js"))?)?;
    let icon_name = put(dist, "icon", "svg", &fs::read(web.join("icon.svg"))?)?;
    let styles = styles(&web.join("styles"), dist, fonts)?;
    let styles_name = put(dist, "console", "css", styles.as_bytes())?;
    let mut page = fs::read_to_string(web.join("index.html")).context("cannot read admin-ui/web/index.html")?;
    let names = [
        ("wasm", &wasm_name),
        ("glue", &glue_name),
        ("boot", &boot_name),
        ("theme", &theme_name),
        ("icon", &icon_name),
        ("styles", &styles_name),
    ];
    for (mark, name) in names {
        page = page.replace(&format!("{{{{{mark}}}}}"), name);
    }
    write_both(&dist.join("index.html"), page.as_bytes())?;
    let compressed = fs::metadata(format!("{}{wasm_name}.br", dist.display()))?.len();
    eprintln!("Console: {} kB of WASM, {} kB compressed.", wasm.len() / 1000, compressed / 1000);
    Ok(())
}

/// The JavaScript glue and the WASM that fits it.
fn bindgen(wasm: &[u8]) -> Result<(String, Vec<u8>)> {
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen
        .input_bytes("console", wasm.to_vec())
        .web(true)?
        .typescript(false)
        .omit_default_module_path(true)
        .remove_name_section(true)
        .remove_producers_section(true);
    let mut output = bindgen.generate_output().context(
        "wasm-bindgen cannot read the console; its versions in xtask/Cargo.toml and admin-ui/Cargo.lock must be the same",
    )?;
    // Every crate has an entry there, mostly an empty one.
    let carries = output.snippets().iter().filter(|(_, files)| !files.is_empty()).map(|(name, _)| name.as_str());
    let carries: Vec<&str> = carries.chain(output.local_modules().keys().map(String::as_str)).collect();
    if !carries.is_empty() {
        bail!("the bundle carries no JavaScript files of crates, and these bring some: {}", carries.join(", "));
    }
    let glue = output.js().to_owned();
    Ok((glue, output.wasm_mut().emit_wasm()))
}

/// One style sheet: the fonts, then every file of the folder in the order of its name.
fn styles(folder: &Path, dist: &Path, fonts: &[Font]) -> Result<String> {
    let mut css = String::new();
    for font in fonts {
        let name = put(dist, &format!("inter-{}", font.subset), "woff2", &font.bytes)?;
        css.push_str(&format!(
            "@font-face{{font-family:Inter;font-weight:100 900;font-display:swap;src:url({name}) format('woff2');\
             unicode-range:{}}}\n",
            font.unicode_range
        ));
    }
    for path in sorted_files(folder)? {
        css.push_str(&fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?);
    }
    Ok(css)
}

/// Writes `assets/NAME-HASH.EXTENSION` and its compressed twin; returns the path that a page names it by.
fn put(dist: &Path, name: &str, extension: &str, bytes: &[u8]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let file = format!("assets/{name}-{:016x}.{extension}", hasher.finish());
    if extension == "woff2" {
        // Compressed already.
        fs::write(dist.join(&file), bytes)?;
    } else {
        write_both(&dist.join(&file), bytes)?;
    }
    Ok(format!("/{file}"))
}

fn write_both(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    let mut compressed = path.as_os_str().to_owned();
    compressed.push(".br");
    fs::write(&compressed, brotli(bytes)?).with_context(|| format!("cannot write {}", path.display()))
}

fn brotli(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut writer = brotli::CompressorWriter::new(Vec::new(), 1 << 16, 11, 22);
    writer.write_all(bytes)?;
    writer.flush()?;
    Ok(writer.into_inner())
}

/// A fingerprint of everything that goes into the bundle.
fn stamp(wasm: &[u8], web: &Path, fonts: &[Font]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    // A change of this file changes what comes out.
    include_str!("ui.rs").hash(&mut hasher);
    wasm.hash(&mut hasher);
    for path in sorted_files(web)?.into_iter().chain(sorted_files(&web.join("styles"))?) {
        path.hash(&mut hasher);
        fs::read(&path)?.hash(&mut hasher);
    }
    for font in fonts {
        font.bytes.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn sorted_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
