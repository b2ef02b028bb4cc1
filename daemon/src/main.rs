//! The program. Everything is in the library, so that tests and the demo can start it in-process.

fn main() -> std::process::ExitCode {
    daemon::cli::main()
}
