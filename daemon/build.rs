//! Tells cargo that the embedded console is part of the source.

fn main() {
    // A watched path that doesn't exist would make every build begin anew; without write access that is all it costs.
    let _ = std::fs::create_dir_all("../admin-ui/dist");
    println!("cargo::rerun-if-changed=../admin-ui/dist");
}
