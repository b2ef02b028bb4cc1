use super::*;
use expect_test::{Expect, expect};
use proptest::prelude::*;

const DEFAULTS: Defaults<'_> = Defaults { id: "0f1e", date_ms: 1_700_000_000_000 };

fn check(raw: &str, expected: Expect) {
    let raw = raw.replace('\n', "\r\n");
    let found = match prepare(raw.as_bytes(), &DEFAULTS) {
        Ok(prepared) => {
            let content = String::from_utf8_lossy(&prepared.content).replace("\r\n", "\n");
            let mut marks = String::new();
            for (mark, set) in [
                ("borrowed", matches!(prepared.content, Cow::Borrowed(_))),
                ("eight_bit", prepared.eight_bit),
                ("smtputf8", prepared.smtputf8),
            ] {
                if set {
                    marks.push_str(&format!(" {mark}"));
                }
            }
            format!(
                "<{}> from {} subject {:?} stream {:?} tags {:?}{marks}\n{content}",
                prepared.header_id, prepared.from, prepared.subject, prepared.stream, prepared.tags
            )
        }
        Err(e) => e.to_string(),
    };
    expected.assert_eq(&found);
}

#[test]
fn a_complete_message_stays_as_it_is() {
    check(
        "From: Ana <ana@example.com>\nSubject: Hello\nDate: Tue, 14 Nov 2023 22:13:20 +0000\nMessage-ID: <1@x>\n\nHi\n",
        expect![[r#"
            <1@x> from ana@example.com subject "Hello" stream None tags [] borrowed
            From: Ana <ana@example.com>
            Subject: Hello
            Date: Tue, 14 Nov 2023 22:13:20 +0000
            Message-ID: <1@x>

            Hi
        "#]],
    );
}

#[test]
fn what_is_missing_is_added_and_what_is_ours_is_taken_out() {
    check(
        "From: ana@example.com\nBcc: secret@example.net,\n other@example.net\nTo: b@example.net\n\
         X-Packetboat-Stream: bulk\nx-packetboat-tags: spring, sale ,spring\nX-Packetboat-Else: 1\nReturn-Path: <a@b.c>\n\nHi\nBcc: body\n",
        expect![[r#"
            <0f1e@example.com> from ana@example.com subject "" stream Some("bulk") tags ["spring", "sale"]
            Message-ID: <0f1e@example.com>
            Date: Tue, 14 Nov 2023 22:13:20 +0000
            From: ana@example.com
            To: b@example.net

            Hi
            Bcc: body
        "#]],
    );
}

#[test]
fn encoded_and_folded_headers_are_read() {
    check(
        "From: =?utf-8?B?QW5h?=\n <ana@example.com>\nSubject: =?utf-8?Q?Ol=C3=A1?= =?iso-8859-1?Q?_mundo_=E9?=\n folded\n\n",
        expect![[r#"
            <0f1e@example.com> from ana@example.com subject "Olá mundo é folded" stream None tags []
            Message-ID: <0f1e@example.com>
            Date: Tue, 14 Nov 2023 22:13:20 +0000
            From: =?utf-8?B?QW5h?=
             <ana@example.com>
            Subject: =?utf-8?Q?Ol=C3=A1?= =?iso-8859-1?Q?_mundo_=E9?=
             folded

        "#]],
    );
}

#[test]
fn bytes_above_127() {
    check(
        "From: José <josé@example.com>\nDate: x\nMessage-ID: <1@x>\n\nHi\n",
        expect![[r#"
            <1@x> from josé@example.com subject "" stream None tags [] borrowed eight_bit smtputf8
            From: José <josé@example.com>
            Date: x
            Message-ID: <1@x>

            Hi
        "#]],
    );
    check(
        "From: a@example.com\nDate: x\nMessage-ID: <1@x>\n\nOlá\n",
        expect![[r#"
            <1@x> from a@example.com subject "" stream None tags [] borrowed eight_bit
            From: a@example.com
            Date: x
            Message-ID: <1@x>

            Olá
        "#]],
    );
}

#[test]
fn refused() {
    let long = format!("From: a@example.com\n\n{}\n", "x".repeat(999));
    let many = format!("From: a@example.com\n{}\n", "X: 1\n".repeat(500));
    let wide = format!("From: a@example.com\n{}\n", "X: 1234567890\n ".repeat(9_000));
    let tags =
        format!("From: a@example.com\nX-Packetboat-Tags: {}\n\n", (0..11).map(|n| format!("{n},")).collect::<String>());
    for (raw, expected) in [
        ("", expect!["there is no From field"]),
        ("\nHi\n", expect!["there is no From field"]),
        ("To: a@example.com\n\nHi\n", expect!["there is no From field"]),
        ("From: a@example.com\nFrom: b@example.com\n\n", expect!["there are two From fields; one is allowed"]),
        ("From: a@example.com\nSubject: a\nsubject: b\n\n", expect!["there are two Subject fields; one is allowed"]),
        (
            "From: a@example.com, b@example.com\n\n",
            expect!["the From field cannot be used: there is more than one address"],
        ),
        ("From: Ana\n\n", expect![[r#"the From field cannot be used: "Ana" is not a mail address: it has no @"#]]),
        (
            "From: a@example.com\nnot a field\n\n",
            expect!["line 2 is not a header field; an empty line ends the header"],
        ),
        ("From : a@example.com\n\n", expect!["line 1 is not a header field; an empty line ends the header"]),
        (" From: a@example.com\n\n", expect!["line 1 is not a header field; an empty line ends the header"]),
        (
            "From: a@example.com\nMessage-ID: 1@x\n\n",
            expect![[r#"the Message-ID "1@x" is not of the form <left@right>"#]],
        ),
        (&long, expect!["line 3 is longer than 998 bytes; encode the text as quoted-printable or base64"]),
        (&many, expect!["the header has more than 500 fields"]),
        (&wide, expect!["the header has more than 131072 bytes"]),
        (&tags, expect!["there are more than 10 tags"]),
    ] {
        check(raw, expected);
    }
}

#[test]
fn line_ends_and_bytes_that_no_message_may_have() {
    for (raw, expected) in [
        (&b"From: a@example.com\r\n\r\na\nb\r\n"[..], "line 3 has a bare CR or LF; lines end in CR LF"),
        (b"From: a@example.com\r\n\r\na\rb\r\n", "line 3 has a bare CR or LF; lines end in CR LF"),
        (b"From: a@example.com\r\n\r\na\r\r\n", "line 3 has a bare CR or LF; lines end in CR LF"),
        (b"From: a@example.com\r\n\r\na\n\r\n", "line 3 has a bare CR or LF; lines end in CR LF"),
        (b"\nFrom: a@example.com\r\n\r\n", "line 1 has a bare CR or LF; lines end in CR LF"),
        (b"From: a@example.com\r\n\r\nlast", "line 3 has a bare CR or LF; lines end in CR LF"),
        (b"From: a@example.com\r\n\r\na\0\r\n", "line 3 has a NUL byte; encode binary content as base64"),
        (
            b"From: a@example.com\r\nX: \xff\r\n\r\n",
            "the header has bytes that are not UTF-8; encode them as RFC 2047 says",
        ),
    ] {
        assert_eq!(prepare(raw, &DEFAULTS).unwrap_err().to_string(), expected, "{raw:?}");
    }
}

#[test]
fn fields_are_found_in_the_header_alone() {
    let message = b"From: a@example.com\r\nLIST-unsubscribe:\r\n <https://x.example>\r\n\r\nList-Id: x\r\n";
    for (name, expected) in
        [("From", true), ("List-Unsubscribe", true), ("List-Unsub", false), (" <https", false), ("List-Id", false)]
    {
        assert_eq!(has_field(message, name), expected, "{name}");
    }
}

/// Header lines in any order, good and bad, and some text.
fn any_message() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just("From: a@example.com"),
        Just("Subject: =?utf-8?Q?=0D=0A?="),
        Just("Bcc: b@example.net"),
        Just(" c@example.net"),
        Just("Date: x"),
        Just("Message-ID: <1@x>"),
        Just("X-Packetboat-Tags: a,b"),
        Just("X-Packetboat-Stream: bulk"),
        Just("x"),
        Just(""),
        Just("\u{e9}: \u{e9}"),
    ];
    let end = prop_oneof![9 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\r")];
    prop::collection::vec((line, end), 0..12)
        .prop_map(|lines| lines.iter().flat_map(|(line, end)| [line.as_bytes(), end.as_bytes()].concat()).collect())
}

proptest! {
    #[test]
    fn what_was_prepared_needs_nothing_more(raw in prop_oneof![any_message(), prop::collection::vec(any::<u8>(), 0..200)]) {
        if let Ok(first) = prepare(&raw, &DEFAULTS) {
            let again = prepare(&first.content, &DEFAULTS).unwrap();
            prop_assert!(matches!(again.content, Cow::Borrowed(_)));
            prop_assert_eq!(&again.header_id, &first.header_id);
            prop_assert_eq!(&again.from, &first.from);
            prop_assert_eq!(again.stream, None);
            prop_assert!(!first.subject.contains(['\r', '\n']));
            let text = String::from_utf8_lossy(&first.content).to_lowercase();
            let head = text.split("\r\n\r\n").next().unwrap_or_default();
            let shown = ["\r\n", head].concat();
            prop_assert!(!shown.contains("\r\nbcc:"));
        }
    }
}
