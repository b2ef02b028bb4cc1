use super::*;
use expect_test::{Expect, expect};
use proptest::prelude::*;

fn check(lines: &[&str], expected: Expect) {
    let shown: Vec<String> = lines
        .iter()
        .map(|line| match parse(line.as_bytes()) {
            Ok(command) => format!("{command:?}\n"),
            Err((code, status, text)) => format!("{code} {status} {text}\n"),
        })
        .collect();
    expected.assert_eq(&shown.concat());
}

#[test]
fn commands() {
    check(
        &[
            "EHLO client.example",
            "ehlo [127.0.0.1]",
            "HELO x",
            "EHLO",
            "DATA",
            "data now",
            "RSET",
            "STARTTLS",
            "QUIT ",
            "NOOP whatever",
            "VRFY ana",
            "AUTH PLAIN",
            "AUTH PLAIN AGEAYg==",
            "AUTH LOGIN =",
            "AUTH",
            "BDAT 86 LAST",
            "bdat 10 last",
            "BDAT 10",
            "BDAT -1",
            "BDAT 10 FIRST",
            "BDAT 99999999999999999999999",
            "ETRN x",
            "",
            "NO\0OP",
        ],
        expect![[r#"
            Ehlo
            Ehlo
            Helo
            501 5.5.4 say your name behind it
            Data
            501 5.5.4 nothing may stand behind it
            Rset
            StartTls
            Quit
            Noop
            Vrfy
            Auth { mechanism: "PLAIN", initial: None }
            Auth { mechanism: "PLAIN", initial: Some("AGEAYg==") }
            Auth { mechanism: "LOGIN", initial: Some("") }
            501 5.5.4 not understood behind the command
            Bdat { size: 86, last: true }
            Bdat { size: 10, last: true }
            Bdat { size: 10, last: false }
            501 5.5.4 not understood behind the command
            501 5.5.4 not understood behind the command
            501 5.5.4 not understood behind the command
            500 5.5.1 no such command
            500 5.5.1 no such command
            500 5.5.2 a control character stands in the line
        "#]],
    );
}

/// What a MAIL or RCPT line is taken for, in short.
fn short(line: &str) -> String {
    match parse(line.as_bytes()) {
        Ok(Command::Mail(mail)) => {
            let from = mail.from.as_ref().map_or("<>".to_owned(), ToString::to_string);
            format!("{from} {:?} {} {} {:?} {:?}", mail.size, mail.eight_bit, mail.smtputf8, mail.ret, mail.envid)
        }
        Ok(Command::Rcpt(rcpt)) => format!("{} {:?} {:?}", rcpt.to, rcpt.notify, rcpt.orcpt),
        Ok(other) => format!("{other:?}"),
        Err((code, status, _)) => format!("{code} {status}"),
    }
}

#[test]
fn mail_and_rcpt() {
    for (line, expected) in [
        ("MAIL FROM:<>", "<> None false false None None"),
        ("mail from:<a@b.example> size=10 body=8bitmime", "a@b.example Some(10) true false None None"),
        ("MAIL FROM: <a@b.example>", "a@b.example None false false None None"),
        (
            "MAIL FROM:<a@b.example> RET=HDRS ENVID=QQ+2B1",
            "a@b.example None false false Some(\"hdrs\") Some(\"QQ+2B1\")",
        ),
        ("MAIL FROM:<a@b.example> AUTH=<>", "a@b.example None false false None None"),
        ("MAIL FROM:<é@b.example> SMTPUTF8", "é@b.example None false true None None"),
        ("MAIL FROM:<é@b.example>", "553 5.6.7"),
        ("MAIL FROM:<\"a>b\"@c.example>", "\"a>b\"@c.example None false false None None"),
        ("MAIL FROM:<@x.example,@y.example:a@b.example>", "a@b.example None false false None None"),
        ("MAIL FROM:<a@b.example>SIZE=1", "501 5.5.4"),
        ("MAIL FROM:a@b.example", "501 5.5.4"),
        ("MAIL FROM:<a@b.example", "501 5.5.4"),
        ("MAIL TO:<a@b.example>", "501 5.5.4"),
        ("MAIL", "501 5.5.4"),
        ("MAIL FROM:<ana>", "553 5.1.3"),
        ("MAIL FROM:<a@b.example> SIZE=1 SIZE=2", "501 5.5.4"),
        ("MAIL FROM:<a@b.example> SIZE=+1", "501 5.5.4"),
        ("MAIL FROM:<a@b.example> SIZE", "501 5.5.4"),
        ("MAIL FROM:<a@b.example> BODY=BINARYMIME", "555 5.5.4"),
        ("MAIL FROM:<a@b.example> ENVID=a=b", "501 5.5.4"),
        ("MAIL FROM:<a@b.example> ENVID=a+2", "501 5.5.4"),
        ("MAIL FROM:<a@b.example> REQUIRETLS", "555 5.5.4"),
        ("RCPT TO:<a@b.example>", "a@b.example None None"),
        (
            "RCPT TO:<a@b.example> NOTIFY=success,DELAY ORCPT=rfc822;a+2Bc@b.example",
            "a@b.example Some(\"SUCCESS,DELAY\") Some(\"rfc822;a+2Bc@b.example\")",
        ),
        ("RCPT TO:<a@b.example> NOTIFY=NEVER", "a@b.example Some(\"NEVER\") None"),
        ("RCPT TO:<a@b.example> NOTIFY=NEVER,DELAY", "501 5.5.4"),
        ("RCPT TO:<a@b.example> NOTIFY=DELAY,DELAY", "501 5.5.4"),
        ("RCPT TO:<a@b.example> ORCPT=a@b.example", "501 5.5.4"),
        ("RCPT TO:<a@b.example> SIZE=1", "555 5.5.4"),
        ("RCPT TO:<>", "553 5.1.3"),
        ("RCPT TO:<postmaster>", "553 5.1.3"),
    ] {
        assert_eq!(short(line), expected, "{line}");
    }
}

proptest! {
    #[test]
    fn no_line_panics(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&line);
    }

    #[test]
    fn nothing_taken_carries_a_control_character(
        verb in "(MAIL FROM:|RCPT TO:)", path in "<\\PC{0,20}>?", rest in "( [A-Z]{3,6}=\\PC{0,10}){0,3}",
    ) {
        let line = format!("{verb}{path}{rest}");
        if let Ok(Command::Rcpt(rcpt)) = parse(line.as_bytes()) {
            let shown = [rcpt.to.to_string(), rcpt.notify.unwrap_or_default(), rcpt.orcpt.unwrap_or_default()].concat();
            prop_assert!(!shown.chars().any(char::is_control));
        }
    }
}
