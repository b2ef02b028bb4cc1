//! Whole files through the import, against a real database.

use super::*;
use api_types::{FieldKind, ImportExisting, ImportStart, ImportState};
use std::fmt::Write as _;
use std::sync::Arc;
use storage::import::Import;
use storage::{OpenOptions, Storage, WorkspaceId};
use world::{Clock, SystemClock};

struct House {
    storage: Storage,
    _dir: tempfile::TempDir,
}

impl House {
    fn new() -> House {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 2 }).unwrap();
        std::fs::create_dir_all(dir.path().join("imports")).unwrap();
        House { storage, _dir: dir }
    }

    /// Uploads and starts a file as the API does; the targets as proposed.
    fn start(&self, bytes: &[u8], existing: ImportExisting) -> Result<Import, String> {
        let id = self
            .storage
            .main()
            .write_blocking(|tx| storage::import::insert(tx, WorkspaceId::MAIN, "people.csv", "ana", 0))
            .unwrap();
        std::fs::write(path(self.storage.dir(), id), bytes).unwrap();
        let found = inspect(&path(self.storage.dir(), id)).map_err(|e| e.to_string())?;
        let start = ImportStart {
            targets: found.columns.iter().map(|column| column.target.clone()).collect(),
            existing,
            tags: vec!["imported".to_owned()],
            lists: vec![],
            consent_source: String::new(),
        };
        check_start(&found.columns, &start)?;
        self.storage
            .main()
            .write_blocking(move |tx| {
                storage::import::set_columns(tx, WorkspaceId::MAIN, id, &found)?;
                storage::import::start(tx, WorkspaceId::MAIN, id, &start)
            })
            .unwrap();
        Ok(self.find(id))
    }

    fn find(&self, id: storage::ImportId) -> Import {
        self.storage.read_blocking(|c| storage::import::find(c, WorkspaceId::MAIN, id)).unwrap().unwrap()
    }

    fn read(&self, import: &Import, stop: &dyn Fn() -> bool) -> Outcome {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        run(&self.storage, &clock, import, stop).unwrap()
    }

    /// Runs a file through; created, updated, skipped, failed, and the refused rows.
    fn import(&self, bytes: &[u8], existing: ImportExisting) -> ([u64; 4], Vec<String>) {
        let import = self.start(bytes, existing).unwrap();
        assert_eq!(self.read(&import, &|| false), Outcome::Finished);
        let import = self.find(import.id);
        assert_eq!(import.state, ImportState::Finished);
        assert_eq!(import.bytes_done, import.bytes_total);
        let errors =
            self.storage.read_blocking(|c| storage::import::errors(c, WorkspaceId::MAIN, import.id, 0, 100)).unwrap();
        let errors =
            errors.into_iter().map(|(_, e)| format!("{} {} {:?}: {}", e.line, e.column, e.value, e.reason)).collect();
        let counts = import.counts;
        assert_eq!(import.rows, counts.created + counts.updated + counts.skipped + counts.failed);
        ([counts.created, counts.updated, counts.skipped, counts.failed], errors)
    }

    fn contact(&self, email: &str) -> storage::contact::Contact {
        let address = mail::Address::parse(email).unwrap();
        let found =
            self.storage.read_blocking(|c| storage::contact::find_by_email(c, WorkspaceId::MAIN, &address)).unwrap();
        found.unwrap_or_else(|| panic!("{email} is there"))
    }
}

#[test]
fn every_row_is_taken_or_reported() {
    let file = "Email,Nome,Cidade,Idade,Tags\n\
        ana@example.com,Ana,Lisboa,31,\"vip, pt\"\n\
        not an address,Rui,Porto,40,\n\
        ,Eva,Faro,22,\n\
        ANA@example.com,Ana again,Lisboa,31,\n\
        rui@example.com,Rui,\"Porto, Norte\",40,\n\
        zoe@example.com,Zoe,Braga,many,\n\
        bia@example.com,Bia\n\
        leo@example.com,Leo,Évora,50,,surplus\n";
    let house = House::new();
    let (counts, errors) = house.import(file.as_bytes(), ImportExisting::Update);
    expect_test::expect![[r#"
        3 Email "not an address": it has no @
        4 Email "": there is no address
        5 Email "ANA@example.com": this address stands in the file more than once; the first row counts
        9 column 6 "surplus": the row has 6 cells, the file 5 columns; is a quote missing?"#]]
    .assert_eq(&errors.join("\n"));
    // "many" makes the column text: the kind of a new field fits all of its first values.
    assert_eq!(counts, [4, 0, 0, 4]);
    let ana = house.contact("ana@example.com");
    assert_eq!((ana.first_name.as_str(), ana.attributes["cidade"].as_str()), ("Ana", Some("Lisboa")));
    assert_eq!(house.contact("rui@example.com").attributes["cidade"], "Porto, Norte");
    let tags = house.storage.read_blocking(|c| storage::tag::list(c, WorkspaceId::MAIN)).unwrap();
    assert_eq!(tags, [("imported".to_owned(), 4), ("pt".to_owned(), 1), ("vip".to_owned(), 1)]);
}

#[test]
fn values_are_held_against_the_kind_of_their_field() {
    let house = House::new();
    house.import(b"email,age\na@x.example,31\n", ImportExisting::Update);
    let fields = house.storage.read_blocking(|c| storage::field::list(c, WorkspaceId::MAIN)).unwrap();
    assert_eq!(fields["age"], FieldKind::Number);
    let (counts, errors) = house.import(b"email,age\nb@x.example,old\nc@x.example,7\n", ImportExisting::Update);
    assert_eq!(counts, [1, 0, 0, 1]);
    assert_eq!(errors, ["2 age \"old\": not a number, and the field is one"]);
}

#[test]
fn contacts_that_are_there_already() {
    for (existing, counts, name, city) in [
        (ImportExisting::Skip, [0, 0, 1, 0], "Ana", "Lisboa"),
        (ImportExisting::Update, [0, 1, 0, 0], "Ana Maria", "Lisboa"),
        (ImportExisting::Overwrite, [0, 1, 0, 0], "Ana Maria", ""),
    ] {
        let house = House::new();
        house.import(b"email,first name,city\nana@x.example,Ana,Lisboa\n", ImportExisting::Skip);
        let again = house.import(b"email,first name,city\nana@x.example,Ana Maria,\n", existing);
        assert_eq!(again, (counts, vec![]), "{existing:?}");
        let ana = house.contact("ana@x.example");
        assert_eq!(ana.first_name, name);
        assert_eq!(ana.attributes.get("city").and_then(|v| v.as_str()).unwrap_or_default(), city);
        // The same file again changes nothing.
        let (third, _) = house.import(b"email,first name,city\nana@x.example,Ana Maria,\n", existing);
        assert_eq!(third, [0, 0, 1, 0]);
    }
}

#[test]
fn encodings_and_delimiters() {
    let text = "email;nome\njose@x.example;José\n";
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let windows: Vec<u8> = text.chars().map(|c| if c == 'é' { 0xe9 } else { c as u8 }).collect();
    let with_bom = [b"\xef\xbb\xbf", text.as_bytes()].concat();
    let no_heading = text.split_once('\n').unwrap().1.as_bytes();
    for bytes in [text.as_bytes(), &utf16, &windows, &with_bom, no_heading, text.replace(';', "\t").as_bytes()] {
        let house = House::new();
        let (counts, errors) = house.import(bytes, ImportExisting::Skip);
        assert_eq!((counts, errors), ([1, 0, 0, 0], vec![]));
        let jose = house.contact("jose@x.example");
        let name = if bytes == no_heading { jose.attributes["column_2"].as_str().unwrap() } else { &jose.first_name };
        assert_eq!(name, "José");
    }
}

#[test]
fn files_that_cannot_be_imported_say_why() {
    for (bytes, why) in [
        (&b""[..], "the file is empty"),
        (b"  \n\n", "the file is empty"),
        (b"email,name\n", "the file has a heading, but no row below it"),
        (b"name,city\nAna,Lisboa\n", "no column has mail addresses; the columns are: name, city"),
        (
            b"PK\x03\x04....",
            "this is not a CSV file (it is an Excel or ZIP file); save it as CSV, in UTF-8, and upload that",
        ),
        (b"a\0b", "this is not a CSV file (it has zero bytes in it); save it as CSV, in UTF-8, and upload that"),
    ] {
        let house = House::new();
        assert_eq!(house.start(bytes, ImportExisting::Skip).unwrap_err(), why);
    }
}

#[test]
fn an_invalid_byte_at_the_end_of_a_large_file_is_found() {
    let mut text = String::from("email,name\n");
    for n in 0..40_000 {
        let _ = writeln!(text, "p{n}@x.example,Zoë");
    }
    let mut bytes = text.into_bytes();
    let good = layout_of(&bytes);
    assert_eq!((good.encoding.name(), good.warning), ("UTF-8", None));
    bytes.extend_from_slice(b"last@x.example,Zo\xeb\n");
    let bad = layout_of(&bytes);
    assert_eq!(bad.encoding.name(), "windows-1252");
    assert!(bad.warning.unwrap().contains("line 40002"));
}

fn layout_of(bytes: &[u8]) -> Layout {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    layout(file.path()).unwrap()
}

#[test]
fn an_interrupted_import_goes_on_where_it_stopped() {
    let mut file = String::from("email,name\n");
    for n in 0..3500 {
        let _ = writeln!(file, "p{n}@x.example,\"Person\n{n}\"");
    }
    let _ = writeln!(file, "p0@x.example,again");
    let file = file.replace("\"Person\n", "\"Person ");
    let house = House::new();
    let mut import = house.start(file.as_bytes(), ImportExisting::Skip).unwrap();
    let mut runs = 0;
    while house.read(&import, &|| true) == Outcome::Interrupted {
        import = house.find(import.id);
        runs += 1;
        assert_eq!(import.rows, runs * 1000, "one chunk a run");
    }
    let import = house.find(import.id);
    assert_eq!((runs, import.counts.created, import.counts.failed), (3, 3500, 1));
    assert!(!path(house.storage.dir(), import.id).exists(), "the file has done its duty");
}

#[test]
fn a_cancelled_import_stops() {
    let house = House::new();
    let import = house.start(b"email\na@x.example\n", ImportExisting::Skip).unwrap();
    let id = import.id;
    let cancel = move |tx: &storage::Transaction<'_>| {
        storage::import::end(tx, WorkspaceId::MAIN, id, (ImportState::Cancelled, None), 0)
    };
    assert!(house.storage.main().write_blocking(cancel).unwrap());
    assert_eq!(house.read(&import, &|| false), Outcome::Ended);
    assert_eq!(house.find(id).rows, 0);
}

#[test]
fn targets_are_checked() {
    let column = |name: &str| api_types::ImportColumn { name: name.to_owned(), samples: vec![], target: String::new() };
    let columns = [column("a"), column("b")];
    for (targets, wrong) in [
        (&["email", ""][..], None),
        (&["email"], Some("there are 1 targets, but the file has 2 columns")),
        (&["", ""], Some("no column has the target email")),
        (&["email", "email"], Some("two columns have the target email")),
        (&["email", "attribute:Bad Name"], Some("\"attribute:Bad Name\" is no target for the column \"b\"")),
        (&["email", "phone"], Some("\"phone\" is no target for the column \"b\"")),
    ] {
        let start = ImportStart {
            targets: targets.iter().map(|t| (*t).to_owned()).collect(),
            existing: ImportExisting::Skip,
            tags: vec![],
            lists: vec![],
            consent_source: String::new(),
        };
        let found = check_start(&columns, &start).err();
        assert_eq!(found.is_some(), wrong.is_some(), "{targets:?}: {found:?}");
        assert!(found.unwrap_or_default().starts_with(wrong.unwrap_or_default()));
    }
}

#[test]
fn every_kind_of_line_end_gives_the_same_rows_and_numbers() {
    for end in ["\n", "\r\n", "\r"] {
        let file = ["email,first_name", "ana@example.com,Ana", "nobody,No", "bo@example.com,Bo", "ana@example.com,A"]
            .join(end);
        let house = House::new();
        let (counts, errors) = house.import(file.as_bytes(), ImportExisting::Update);
        assert_eq!(counts, [2, 0, 0, 2], "{end:?}");
        let lines: Vec<&str> = errors.iter().filter_map(|error| error.split(' ').next()).collect();
        assert_eq!(lines, ["3", "5"], "{end:?}");
    }
}
