//! What kind of file it is: encoding, delimiter, heading.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use encoding_rs_io::DecodeReaderBytesBuilder;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Read at once.
const BLOCK: usize = 256 * 1024;

/// Looked at for the delimiter.
const HEAD: usize = 64 * 1024;

/// Why a file cannot be imported at all.
#[derive(Debug, thiserror::Error)]
pub enum ImportFileError {
    /// It cannot be read.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// Only a heading.
    #[error("the file has a heading, but no row below it")]
    NoRows,
    /// It is a spreadsheet or something else that is no text.
    #[error("this is not a CSV file ({0}); save it as CSV, in UTF-8, and upload that")]
    NotText(&'static str),
    /// No column looks like mail addresses.
    #[error("no column has mail addresses; the columns are: {columns}")]
    NoAddresses {
        /// The columns found.
        columns: String,
    },
}

/// How to read the file.
#[derive(Clone, Debug)]
pub struct Layout {
    /// How its bytes are text.
    pub encoding: &'static Encoding,
    /// What stands between cells.
    pub delimiter: u8,
    /// The first row, where it is a heading.
    pub heading: Option<Vec<String>>,
    /// Size of the file.
    pub bytes: u64,
    /// What is odd about it.
    pub warning: Option<String>,
}

/// Finds out how to read a file. Reads it to its end once, since the one byte that is not UTF-8 may be the last.
///
/// # Errors
/// When it cannot be read, is empty, or is no text.
pub fn layout(path: &Path) -> Result<Layout, ImportFileError> {
    let bytes = std::fs::metadata(path)?.len();
    if bytes == 0 {
        return Err(ImportFileError::Empty);
    }
    let (encoding, warning) = encoding(path)?;
    let mut layout = Layout { encoding, delimiter: b',', heading: None, bytes, warning };
    let mut head = Vec::new();
    open(path, encoding)?.0.take(HEAD as u64).read_to_end(&mut head)?;
    let head = String::from_utf8_lossy(&head);
    if head.trim().is_empty() {
        return Err(ImportFileError::Empty);
    }
    layout.delimiter = delimiter(&head);
    let mut first = super::rows::reader(path, &layout)?.0.into_records();
    let first = first.next().and_then(Result::ok).map(|row| row.iter().map(str::to_owned).collect::<Vec<_>>());
    // A first row with an address in it is data.
    layout.heading = first.filter(|row| !row.iter().any(|cell| mail::Address::parse(cell.trim()).is_ok()));
    Ok(layout)
}

/// Counts bytes of the file itself, for progress.
pub(super) struct Counting<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// The file as UTF-8 without a byte order mark, and the count of its bytes read so far.
pub(super) fn open(path: &Path, encoding: &'static Encoding) -> io::Result<(impl Read + use<>, Arc<AtomicU64>)> {
    let read = Arc::new(AtomicU64::new(0));
    let counting = Counting { inner: File::open(path)?, read: Arc::clone(&read) };
    let decoded =
        DecodeReaderBytesBuilder::new().encoding(Some(encoding)).bom_sniffing(true).strip_bom(true).build(counting);
    Ok((BufReader::with_capacity(BLOCK, decoded), read))
}

fn encoding(path: &Path) -> Result<(&'static Encoding, Option<String>), ImportFileError> {
    let mut file = File::open(path)?;
    let mut block = vec![0; BLOCK];
    let mut filled = read_full(&mut file, &mut block)?;
    let head = &block[..filled];
    for (magic, what) in [
        (&b"PK\x03\x04"[..], "it is an Excel or ZIP file"),
        (b"%PDF", "it is a PDF"),
        (b"\xd0\xcf\x11\xe0", "it is an old Excel file"),
    ] {
        if head.starts_with(magic) {
            return Err(ImportFileError::NotText(what));
        }
    }
    if head.starts_with(b"\xff\xfe") {
        return Ok((UTF_16LE, None));
    }
    if head.starts_with(b"\xfe\xff") {
        return Ok((UTF_16BE, None));
    }
    if head.contains(&0) {
        return Err(ImportFileError::NotText("it has zero bytes in it"));
    }
    let mut line = 1;
    let mut kept = 0;
    loop {
        match std::str::from_utf8(&block[..kept + filled]) {
            Ok(text) => {
                line += text.matches('\n').count();
                kept = 0;
            }
            Err(error) if error.error_len().is_none() && filled > 0 => {
                // A character cut by the block's end: look again with the next block behind it.
                let good = error.valid_up_to();
                line += block[..good].iter().filter(|byte| **byte == b'\n').count();
                let end = kept + filled;
                block.copy_within(good..end, 0);
                kept = end - good;
            }
            Err(error) => {
                line += block[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
                let warning = format!(
                    "line {line} is not UTF-8, so the file is read as Windows-1252; if letters look wrong, save it as UTF-8"
                );
                return Ok((WINDOWS_1252, Some(warning)));
            }
        }
        if filled == 0 {
            return Ok((UTF_8, None));
        }
        filled = read_full(&mut file, &mut block[kept..])?;
    }
}

fn read_full(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}

/// The candidate that stands in the first lines most steadily; comma when none does.
fn delimiter(head: &str) -> u8 {
    let lines: Vec<&str> = head.lines().filter(|line| !line.trim().is_empty()).take(20).collect();
    let score = |candidate: char| {
        let counts = lines.iter().map(|line| outside_quotes(line, candidate));
        // The heading counts twice: it has no free text.
        counts.clone().min().unwrap_or(0) * 100 + counts.take(1).sum::<usize>()
    };
    let best = [',', ';', '\t', '|'].into_iter().rev().max_by_key(|candidate| score(*candidate)).unwrap_or(',');
    if score(best) == 0 { b',' } else { best as u8 }
}

fn outside_quotes(line: &str, candidate: char) -> usize {
    let mut quoted = false;
    let mut count = 0;
    for c in line.chars() {
        if c == '"' {
            quoted = !quoted;
        } else if c == candidate && !quoted {
            count += 1;
        }
    }
    count
}
