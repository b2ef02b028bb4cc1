//! The client against servers that follow a script, good ones and bad ones.

use super::session::{Session, Timeouts};
use super::transaction::{Answered, Begun, Stop};
use super::{Envelope, Rcpt};
use expect_test::{Expect, expect};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

const TIMEOUTS: Timeouts = Timeouts {
    command: Duration::from_secs(300),
    data: Duration::from_secs(120),
    block: Duration::from_secs(180),
    final_dot: Duration::from_secs(600),
};

/// Plays a server, line by line: `S: 250 Ok` is said, `C: MAIL` is the begin of a line that must come, `bytes 7` are read
/// and thrown away, `drip 1s 250 Ok` says one byte a second, `wait 5s` waits, `close` ends it. Says what came.
async fn play(mut io: DuplexStream, script: String) -> Vec<String> {
    let mut heard = Vec::new();
    for step in script.lines().map(str::trim).filter(|step| !step.is_empty()) {
        if let Some(line) = step.strip_prefix("S: ") {
            io.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        } else if let Some(begin) = step.strip_prefix("C:").map(str::trim_start) {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                match io.read_u8().await {
                    Ok(byte) => line.push(byte),
                    Err(_) => return heard,
                }
            }
            let line = String::from_utf8(line).unwrap().trim_end().to_owned();
            assert!(line.starts_with(begin), "{line:?} came where {begin:?} was awaited; before it: {heard:?}");
            heard.push(line);
        } else if let Some(count) = step.strip_prefix("bytes ") {
            let mut bytes = vec![0; count.parse().unwrap()];
            io.read_exact(&mut bytes).await.unwrap();
        } else if let Some(rest) = step.strip_prefix("drip 1s ") {
            for byte in format!("{rest}\r\n").bytes() {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if io.write_all(&[byte]).await.is_err() {
                    return heard;
                }
            }
        } else if step == "long" {
            io.write_all(&vec![b'2'; 100_000]).await.ok();
        } else if step == "raw" {
            io.write_all(b"250 \xff\xfe d\xe9j\xe0 vu\r\n").await.unwrap();
        } else {
            assert_eq!(step, "close");
            return heard;
        }
    }
    // Until the client goes.
    let mut rest = Vec::new();
    let _ = io.read_to_end(&mut rest).await;
    heard.extend(String::from_utf8_lossy(&rest).lines().map(str::to_owned));
    heard
}

fn envelope(to: &[&str]) -> Envelope {
    let rcpt = |address: &&str| Rcpt { address: format!("{address}@a.example"), notify: None, orcpt: None };
    Envelope {
        reverse_path: "b-1@bounce.example.com".to_owned(),
        recipients: to.iter().map(rcpt).collect(),
        size: MESSAGE.len(),
        eight_bit: false,
        smtputf8: false,
        ret: None,
        envid: None,
    }
}

const MESSAGE: &[u8] = b"Subject: x\r\n\r\n.dot\r\n";

fn shown(begun: &Begun) -> String {
    let refused: Vec<String> = begun.refused.iter().map(|(place, reply)| format!("{place}: {reply}; ")).collect();
    match &begun.stop {
        None => format!("ready; {}", refused.concat()),
        Some(Stop::Refused(stage, reply)) => format!("{stage:?} {reply}; {}", refused.concat()),
        Some(Stop::Broken(error)) => format!("{error}; {}", refused.concat()),
    }
}

/// Sends one message to these recipients, and says how it went and what the server heard.
async fn send(script: &str, to: &[&str], at_once: bool) -> String {
    let (ours, theirs) = tokio::io::duplex(4 * 1024 * 1024);
    let server = tokio::spawn(play(theirs, script.to_owned()));
    let told = match Session::open(Box::new(ours), "me.example", None, TIMEOUTS).await {
        Err(error) => format!("no session: {error}\n"),
        Ok(session) => conversation(session, to, at_once).await,
    };
    format!("{told}{}\n", server.await.unwrap().join("\n"))
}

async fn conversation(mut session: Session, to: &[&str], at_once: bool) -> String {
    session.use_chunks(true);
    let envelope = envelope(to);
    let mut told = String::new();
    // Twice, so that what the first leaves behind shows.
    for _ in 0..2 {
        let content = (at_once && session.can_go_at_once(MESSAGE.len())).then_some(MESSAGE);
        let begun = session.begin(&envelope, false, content).await;
        told.push_str(&format!("{}\n", shown(&begun)));
        if matches!(begun.stop, Some(Stop::Broken(_))) || session.is_closing() {
            return told;
        }
        if begun.stop.is_some() || begun.refused.len() == to.len() {
            continue;
        }
        let sent = if content.is_some() { Ok(false) } else { session.content(MESSAGE, None).await };
        match (sent, session.is_end_written()) {
            (Err(error), written) => {
                told.push_str(&format!("{error}; end written: {written}\n"));
                return told;
            }
            (Ok(_), _) => match session.answer().await {
                Ok(Answered::Reply(reply)) => told.push_str(&format!("answer {reply}\n")),
                Ok(Answered::NoChunks(reply)) => {
                    told.push_str(&format!("no chunks: {reply}\n"));
                    return told;
                }
                Err(error) => {
                    told.push_str(&format!("{error}; end written: {}\n", session.is_end_written()));
                    return told;
                }
            },
        }
        if session.is_closing() {
            return told;
        }
    }
    session.quit().await;
    told
}

async fn check(script: &str, to: &[&str], at_once: bool, expected: Expect) {
    expected.assert_eq(&send(script, to, at_once).await);
}

const HELLO: &str = "S: 220 mx.example\nC: EHLO\nS: 250-mx.example\nS: 250-PIPELINING\n";

fn offering(keyword: &str, rest: &str) -> String {
    format!("{HELLO}S: 250 {keyword}\n{rest}")
}

#[tokio::test(start_paused = true)]
async fn chunks_after_the_envelope_is_accepted() {
    let script = offering(
        "CHUNKING",
        "C: MAIL\nC: RCPT\nC: RCPT\nS: 250 ok\nS: 250 ok\nS: 550 5.1.1 no\nC: BDAT 20 LAST\nbytes 20\nS: 250 taken
         C: MAIL\nC: RCPT\nC: RCPT\nS: 250 ok\nS: 550 5.1.1 no\nS: 450 4.2.1 later\nC: QUIT\nS: 221 bye",
    );
    check(
        &script,
        &["ana", "bo"],
        false,
        expect![[r#"
        ready; 1: 550 5.1.1 no; 
        answer 250 taken
        ready; 0: 550 5.1.1 no; 1: 450 4.2.1 later; 
        EHLO me.example
        MAIL FROM:<b-1@bounce.example.com>
        RCPT TO:<ana@a.example>
        RCPT TO:<bo@a.example>
        BDAT 20 LAST
        MAIL FROM:<b-1@bounce.example.com>
        RCPT TO:<ana@a.example>
        RCPT TO:<bo@a.example>
        QUIT
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn at_once_and_a_chunk_for_nobody() {
    let script = offering(
        "CHUNKING",
        "C: MAIL\nC: RCPT\nC: BDAT 20 LAST\nbytes 20\nS: 250 ok\nS: 550 5.1.1 no\nS: 554 5.5.1 nobody
         C: RSET\nC: MAIL\nC: RCPT\nC: BDAT 20 LAST\nbytes 20\nS: 250 ok\nS: 250 ok\nS: 250 ok\nS: 250 taken\nC: QUIT\nS: 221 bye",
    );
    check(
        &script,
        &["ana"],
        true,
        expect![[r#"
        ready; 0: 550 5.1.1 no; 
        ready; 
        answer 250 taken
        EHLO me.example
        MAIL FROM:<b-1@bounce.example.com>
        RCPT TO:<ana@a.example>
        BDAT 20 LAST
        RSET
        MAIL FROM:<b-1@bounce.example.com>
        RCPT TO:<ana@a.example>
        BDAT 20 LAST
        QUIT
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_offers_chunks_and_does_not_know_them() {
    let script = offering(
        "CHUNKING",
        "C: MAIL\nC: RCPT\nS: 250 ok\nS: 250 ok\nC: BDAT 20 LAST\nS: 500 5.5.1 unknown command\nbytes 20",
    );
    check(
        &script,
        &["ana"],
        false,
        expect![[r#"
        ready; 
        no chunks: 500 5.5.1 unknown command
        EHLO me.example
        MAIL FROM:<b-1@bounce.example.com>
        RCPT TO:<ana@a.example>
        BDAT 20 LAST
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_message_leaves_no_transaction_open() {
    let script = offering(
        "CHUNKING",
        "C: MAIL\nC: RCPT\nS: 250 ok\nS: 250 ok\nC: BDAT 20 LAST\nbytes 20\nS: 554 5.7.1 spam
         C: RSET\nC: MAIL\nC: RCPT\nS: 250 ok\nS: 250 ok\nS: 250 ok\nC: BDAT 20 LAST\nbytes 20\nS: 250 ok\nC: QUIT\nS: 221 bye",
    );
    check(
        &script,
        &["ana"],
        false,
        expect![[r#"
        ready; 
        answer 554 5.7.1 spam
        ready; 
        answer 250 ok
        EHLO me.example
        MAIL FROM:<b-1@bounce.example.com>
        RCPT TO:<ana@a.example>
        BDAT 20 LAST
        RSET
        MAIL FROM:<b-1@bounce.example.com>
        RCPT TO:<ana@a.example>
        BDAT 20 LAST
        QUIT
    "#]],
    )
    .await;
}

/// Each stage answered with 421, or with silence and a closed connection.
#[tokio::test(start_paused = true)]
async fn the_server_goes_away_at_any_stage() {
    let rcpt = "C: MAIL\nC: RCPT\nC: RCPT\nC: DATA\nS: 250 ok\n";
    let data = format!("{rcpt}S: 250 ok\nS: 550 5.1.1 no\n");
    let dot = format!("{data}S: 354 go\nC: Subject\nC: \nC: ..dot\nC: .\n");
    let mut told = String::new();
    for (stage, before) in [("MAIL", "C: MAIL\n"), ("RCPT", rcpt), ("DATA", &data), ("dot", &dot)] {
        for end in ["S: 421 4.3.2 going\nclose", "close"] {
            let out = send(&offering("SIZE 0", &format!("{before}{end}")), &["ana", "bo"], false).await;
            let verdict: Vec<&str> = out.lines().take_while(|line| !line.starts_with("EHLO")).collect();
            told.push_str(&format!("{stage}, {}: {}\n", end.len(), verdict.join(" | ")));
        }
    }
    for greeting in ["S: 421 4.3.2 busy\nclose", "close", "S: 554 no\nclose"] {
        told.push_str(send(greeting, &["ana"], false).await.lines().next().unwrap());
        told.push('\n');
    }
    expect![[r#"
        MAIL, 24: Mail 421 4.3.2 going; 
        MAIL, 5: the connection was lost at MAIL: unexpected end of file; 
        RCPT, 24: Rcpt 421 4.3.2 going; 0: 421 4.3.2 going; 
        RCPT, 5: the connection was lost at RCPT: unexpected end of file; 
        DATA, 24: Data 421 4.3.2 going; 1: 550 5.1.1 no; 
        DATA, 5: the connection was lost at DATA: unexpected end of file; 1: 550 5.1.1 no; 
        dot, 24: ready; 1: 550 5.1.1 no;  | answer 421 4.3.2 going
        dot, 5: ready; 1: 550 5.1.1 no;  | the connection was lost at the final dot: unexpected end of file; end written: true
        no session: 421 4.3.2 busy
        no session: the connection was lost at the connection: unexpected end of file
        no session: 554 no
    "#]].assert_eq(&told);
}

/// Replies that come byte by byte have one deadline for all of them; what is too long or no reply ends the session.
#[tokio::test(start_paused = true)]
async fn replies_that_are_none() {
    let slow = format!("drip 1s 250 {}", "x".repeat(400));
    let began = Instant::now();
    let out = send(&offering("SIZE 0", &format!("C: MAIL\n{slow}")), &["ana"], false).await;
    assert_eq!(out.lines().next().unwrap(), "no answer to MAIL in 300 s; ");
    assert!(began.elapsed() < Duration::from_secs(700), "{:?}", began.elapsed());
    let mut told = String::new();
    for bad in ["long", "S: hello", "S: 250-a\nS: 550 b", "raw"] {
        let rest = "C: RCPT\nC: DATA\n";
        let more = "S: 250 ok\nS: 354 go\nC: Subject\nC: \nC: ..dot\nC: .\nS: 451 4.3.0 later\nclose";
        let out = send(&offering("SIZE 0", &format!("C: MAIL\n{rest}{bad}\n{more}")), &["ana"], false).await;
        told.push_str(&format!("{bad:?}: {}\n", out.lines().next().unwrap().chars().take(70).collect::<String>()));
    }
    expect![[r#"
        "long": the answer to MAIL is no SMTP: 222222222222222222222222222222222222222
        "S: hello": the answer to MAIL is no SMTP: hello; 
        "S: 250-a\nS: 550 b": the answer to MAIL is no SMTP: 550 b; 
        "raw": ready; 
    "#]]
    .assert_eq(&told);
}

/// What goes in several chunks can be refused before it has gone whole; then its end did not go out.
#[tokio::test(start_paused = true)]
async fn a_big_message_goes_in_bounded_chunks() {
    let message = [b"Subject: x\r\n\r\n".as_slice(), &b"0123456789abcd\r\n".repeat(150_000)].concat();
    let chunk = 1024 * 1024;
    for (answer, gone) in [("552 5.3.4 too big", false), ("250 ok", true)] {
        let rest = message.len() - 2 * chunk;
        let script = format!(
            "C: MAIL\nC: RCPT\nS: 250 ok\nS: 250 ok\nC: BDAT {chunk}\nbytes {chunk}\nS: 250 ok\n\
             C: BDAT {chunk}\nbytes {chunk}\nS: {answer}\n{}",
            if gone { format!("C: BDAT {rest} LAST\nbytes {rest}\nS: 250 taken\n") } else { String::new() }
        );
        let (ours, theirs) = tokio::io::duplex(256 * 1024);
        let server = tokio::spawn(play(theirs, offering("CHUNKING", &script)));
        let mut session = Session::open(Box::new(ours), "me.example", None, TIMEOUTS).await.unwrap();
        session.use_chunks(true);
        assert!(!session.can_go_at_once(message.len()));
        session.begin(&envelope(&["ana"]), false, None).await;
        let announced = session.content(&message, Some(&envelope(&["bo"]))).await.unwrap();
        assert_eq!((announced, session.is_end_written()), (gone, gone));
        let answer = session.answer().await.unwrap();
        assert!(matches!(&answer, Answered::Reply(reply) if (reply.code == 250) == gone), "{answer:?}");
        drop(session);
        server.await.unwrap();
    }
}

/// A server that keeps the transaction open after a refused chunk takes the announced MAIL for a second one.
#[tokio::test(start_paused = true)]
async fn an_announced_envelope_is_said_again_after_a_refused_chunk() {
    let script = offering(
        "CHUNKING",
        "C: MAIL\nC: RCPT\nS: 250 ok\nS: 250 ok\nC: BDAT 20 LAST\nbytes 20\nC: MAIL\nC: RCPT\nS: 554 5.7.1 spam
         S: 503 5.5.1 nested MAIL\nS: 250 ok\nC: RSET\nC: MAIL\nC: RCPT\nS: 250 ok\nS: 250 ok\nS: 250 ok",
    );
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let server = tokio::spawn(play(theirs, script));
    let mut session = Session::open(Box::new(ours), "me.example", None, TIMEOUTS).await.unwrap();
    session.use_chunks(true);
    session.begin(&envelope(&["ana"]), false, None).await;
    assert!(session.content(MESSAGE, Some(&envelope(&["bo"]))).await.unwrap());
    assert!(matches!(session.answer().await, Ok(Answered::Reply(reply)) if reply.code == 554));
    let begun = session.begin(&envelope(&["bo"]), true, None).await;
    assert_eq!(shown(&begun), "ready; ");
    drop(session);
    assert_eq!(server.await.unwrap().len(), 9);
}
