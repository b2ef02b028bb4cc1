//! Every moment of the dialogue, with everything that can go wrong at it, all in one simulated world: what becomes of
//! each recipient, and what the server got.

mod harness;

use expect_test::{Expect, expect};
use harness::*;
use mail::RecipientState;
use sandbox::{BadLine, Fault, Harm, Manners, Moment, SimOptions, Tls, Way};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use storage::message::NewMessage;
use storage::queue::Recipient;
use world::Clock;

/// Within every time-out, and beyond every time-out.
const SLOW: Harm = Harm::Late(Duration::from_secs(30));
const TOO_LATE: Harm = Harm::Late(TOO_LATE_AFTER);
const TOO_LATE_AFTER: Duration = Duration::from_secs(1200);
/// For one connection of each source to have several.
const RECIPIENTS: usize = 9;

const MOMENTS: [Moment; 11] = [
    Moment::Greeting,
    Moment::Hello,
    Moment::StartTls,
    Moment::Handshake,
    Moment::SecondHello,
    Moment::Mail,
    Moment::Rcpt,
    Moment::Data,
    Moment::Content,
    Moment::Dot,
    Moment::Quit,
];

/// How mail goes over a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// A campaign, by DATA.
    Dotted,
    /// A campaign, by BDAT (RFC 3030).
    Chunked,
    /// Single mails by BDAT, each in one write with its envelope.
    AtOnce,
}

/// A dialogue in which something goes wrong.
#[derive(Clone, Copy)]
struct Course {
    sent: Sent,
    pipelining: bool,
    /// In which message of a connection.
    message: u32,
}

/// What can go wrong with a record, a command, or anything else that passes.
fn harms(moment: Moment, way: Way, sent: Sent) -> Vec<Harm> {
    let mut harms = match (moment, way) {
        (Moment::Greeting, Way::Out) | (Moment::Content, Way::Back) => return Vec::new(),
        (Moment::Data, Way::Back) if sent != Sent::Dotted => return Vec::new(),
        _ => vec![Harm::Reset, Harm::Close, Harm::Half, SLOW, TOO_LATE],
    };
    match (moment, way) {
        (Moment::Content, _) => {}
        (Moment::Handshake | Moment::SecondHello, _) => harms.push(Harm::Garbage),
        // A dot that is none leaves the content open. Of a second one the server says that it is no command, and whether
        // that is read as the answer to the next command is a matter of time.
        (Moment::Dot, Way::Out) => {}
        // The second BDAT is content, whose end is then a command that nobody asked about: the same.
        (Moment::Data, Way::Out) if sent != Sent::Dotted => {
            harms.extend([Harm::Garbage, Harm::BareLf, Harm::Enormous]);
        }
        (_, Way::Out) => harms.extend([Harm::Garbage, Harm::Doubled, Harm::BareLf, Harm::Enormous]),
        (_, Way::Back) => {
            harms.extend([Harm::Garbage, Harm::Doubled, Harm::BareLf, Harm::Enormous, Harm::WrongCode]);
        }
    }
    harms
}

fn faults(course: Course) -> Vec<Fault> {
    let mut faults = Vec::new();
    for moment in MOMENTS {
        for way in [Way::Out, Way::Back] {
            let of = |harm| Fault { moment, way, harm, message: course.message, times: 1 };
            faults.extend(harms(moment, way, course.sent).into_iter().map(of));
        }
    }
    faults
}

fn needs_tls(moment: Moment) -> bool {
    matches!(moment, Moment::StartTls | Moment::Handshake | Moment::SecondHello)
}

/// Whether the fault leaves a client that has sent the end of its message without the answer to it.
fn leaves_in_doubt(fault: Fault, sent: Sent) -> bool {
    let answered = match fault.harm {
        SLOW | Harm::BareLf => true,
        Harm::Doubled => fault.moment == Moment::Dot,
        Harm::WrongCode => fault.moment != Moment::Dot && sent != Sent::AtOnce,
        // A server that cannot read BDAT says so.
        Harm::Garbage | Harm::Enormous => fault.moment == Moment::Data,
        _ => false,
    };
    // Two 354: the second one stands where the answer to the dot is read.
    let doubled_data = fault.moment == Moment::Data && fault.way == Way::Back && fault.harm == Harm::Doubled;
    let is_end = match fault.moment {
        Moment::Dot => true,
        // A short message goes with its BDAT.
        Moment::Data => sent != Sent::Dotted,
        // All of it is under way already when the first answer comes.
        Moment::Mail | Moment::Rcpt | Moment::Content => sent == Sent::AtOnce,
        _ => false,
    };
    (is_end && !answered) || doubled_data
}

/// Whether the line changes what is said: then servers may refuse, and answers may mean others.
fn corrupts(fault: Fault) -> bool {
    !matches!(fault.harm, Harm::Reset | Harm::Close | Harm::Half | Harm::Late(_))
}

fn name(fault: Fault) -> String {
    let harm = match fault.harm {
        SLOW => "slow".to_owned(),
        TOO_LATE => "too late".to_owned(),
        harm => format!("{harm:?}"),
    };
    format!("{:?} {:?} {harm}", fault.moment, fault.way)
}

fn ip_of(n: usize) -> IpAddr {
    format!("127.20.0.{}", n + 1).parse().unwrap()
}

/// A message of its own for each, of some size.
fn single_mails(now_ms: i64, to: &[String]) -> Vec<NewMessage> {
    let content =
        format!("From: shop@sender.example\r\nSubject: Order 7\r\n\r\n{}", "one of many lines\r\n".repeat(500));
    to.iter().map(|address| single_mail(now_ms, address, content.as_bytes())).collect()
}

/// A provider for each fault, behind its line.
async fn voyage_over(lines: &[Arc<BadLine>], faults: &[Fault], course: Course) -> Voyage {
    let chunking = course.sent != Sent::Dotted;
    let of = |(n, fault): (usize, &Fault)| {
        let tls = if needs_tls(fault.moment) { Tls::Offered } else { Tls::None };
        let manners = Manners { tls, pipelining: course.pipelining, chunking, ..Manners::default() };
        provider(&format!("line{n}"), u8::try_from(n + 1).unwrap(), manners)
    };
    let providers = faults.iter().enumerate().map(of).collect();
    let more = format!("bulk_retry = [\"1m\"]\nconnections_per_lane = 1\nchunking = {chunking}\n");
    let voyage = Voyage::start_with(world(providers), &more, SimOptions::default()).await;
    for (n, line) in lines.iter().enumerate() {
        voyage.sim.dial.set_line(ip_of(n), line.clone());
    }
    voyage
}

/// Sends to everybody, and says what became of them.
async fn outcome(voyage: &mut Voyage, to: Vec<String>, sent: Sent) -> Vec<Recipient> {
    let most = Duration::from_secs(6 * 3600);
    if sent != Sent::AtOnce {
        voyage.launch(CAMPAIGN, to).await;
        voyage.until_done(most).await;
        return voyage.log().await;
    }
    let ids = voyage.submit_all(single_mails(voyage.sim.clock.now_ms(), &to)).await;
    voyage.until_done(most).await;
    // What was late beyond every patience has come by now.
    voyage.sim.clock.sleep(TOO_LATE_AFTER).await;
    let mut all = Vec::new();
    for id in ids {
        all.extend(voyage.of_message(id).await);
    }
    all
}

/// A domain for each fault; says what became of whoever was not delivered once.
async fn check(course: Course, expected: &Expect) {
    let faults = faults(course);
    let lines: Vec<Arc<BadLine>> = faults.iter().map(|fault| Arc::new(BadLine::new(*fault))).collect();
    let mut voyage = voyage_over(&lines, &faults, course).await;
    let mut to = Vec::new();
    for (n, fault) in faults.iter().enumerate() {
        let prefix = if fault.moment == Moment::Content { "long-" } else { "fine-" };
        to.extend(people(prefix, &format!("line{n}.example"), RECIPIENTS));
    }

    let mut endings: BTreeMap<usize, Vec<Recipient>> = BTreeMap::new();
    for r in outcome(&mut voyage, to, course.sent).await {
        let n = r.address.split_once("@line").unwrap().1.trim_end_matches(".example").parse().unwrap();
        endings.entry(n).or_default().push(r);
    }
    let mut story = String::new();
    for (n, fault) in faults.iter().enumerate() {
        assert_eq!(lines[n].left(), 0, "{}: it never went wrong", name(*fault));
        story.push_str(&verdict(&voyage, *fault, course.sent, &endings[&n]));
    }
    expected.assert_eq(&story);
    voyage.finish_on_bad_lines().await;
}

/// What became of the recipients behind one line.
fn verdict(voyage: &Voyage, fault: Fault, sent: Sent, recipients: &[Recipient]) -> String {
    let name = name(fault);
    let count = |state| recipients.iter().filter(|r| r.state == state).count();
    let (delivered, unknown) = (count(RecipientState::Delivered), count(RecipientState::Unknown));
    let bounced = count(RecipientState::Bounced);
    let copies: Vec<u32> = recipients.iter().map(|r| voyage.sim.ledger.copies(&r.address)).collect();
    let twice = copies.iter().filter(|copies| **copies > 1).count();
    let in_doubt = leaves_in_doubt(fault, sent);
    if sent == Sent::AtOnce {
        // It is rather sent twice than lost.
        assert_eq!(unknown, 0, "{name}");
        assert!(twice <= usize::from(in_doubt) && copies.iter().all(|copies| *copies <= 2), "{name}: {copies:?}");
        for (r, copies) in recipients.iter().zip(&copies) {
            assert!(r.state != RecipientState::Delivered || *copies > 0, "{name}: {r:?}");
        }
    } else {
        assert_eq!((unknown, twice), (usize::from(in_doubt), 0), "{name}");
    }
    if !corrupts(fault) {
        assert_eq!(delivered + unknown, RECIPIENTS, "{name}");
    }
    match (delivered, twice) {
        (RECIPIENTS, 0) => String::new(),
        (_, 0) => format!("{name}: {delivered} delivered, {bounced} bounced, {unknown} unknown\n"),
        (_, _) => format!("{name}: {delivered} delivered, {twice} twice, {bounced} bounced, {unknown} unknown\n"),
    }
}

/// The same, whichever message of a connection it is, and whether pipelined or not.
fn dotted() -> Expect {
    expect![[r#"
        Mail Out Garbage: 8 delivered, 1 bounced, 0 unknown
        Mail Out Doubled: 8 delivered, 1 bounced, 0 unknown
        Mail Out BareLf: 8 delivered, 1 bounced, 0 unknown
        Mail Out Enormous: 8 delivered, 1 bounced, 0 unknown
        Rcpt Out Garbage: 8 delivered, 1 bounced, 0 unknown
        Rcpt Out BareLf: 8 delivered, 1 bounced, 0 unknown
        Rcpt Out Enormous: 8 delivered, 1 bounced, 0 unknown
        Data Out Garbage: 8 delivered, 1 bounced, 0 unknown
        Data Out BareLf: 8 delivered, 1 bounced, 0 unknown
        Data Out Enormous: 8 delivered, 1 bounced, 0 unknown
        Data Back Doubled: 8 delivered, 0 bounced, 1 unknown
        Dot Out Reset: 8 delivered, 0 bounced, 1 unknown
        Dot Out Close: 8 delivered, 0 bounced, 1 unknown
        Dot Out Half: 8 delivered, 0 bounced, 1 unknown
        Dot Out too late: 8 delivered, 0 bounced, 1 unknown
        Dot Back Reset: 8 delivered, 0 bounced, 1 unknown
        Dot Back Close: 8 delivered, 0 bounced, 1 unknown
        Dot Back Half: 8 delivered, 0 bounced, 1 unknown
        Dot Back too late: 8 delivered, 0 bounced, 1 unknown
        Dot Back Garbage: 8 delivered, 0 bounced, 1 unknown
        Dot Back Enormous: 8 delivered, 0 bounced, 1 unknown
        Dot Back WrongCode: 8 delivered, 0 bounced, 1 unknown
    "#]]
}

fn chunked() -> Expect {
    expect![[r#"
        Mail Out Garbage: 8 delivered, 1 bounced, 0 unknown
        Mail Out Doubled: 8 delivered, 1 bounced, 0 unknown
        Mail Out BareLf: 8 delivered, 1 bounced, 0 unknown
        Mail Out Enormous: 8 delivered, 1 bounced, 0 unknown
        Rcpt Out Garbage: 8 delivered, 1 bounced, 0 unknown
        Rcpt Out BareLf: 8 delivered, 1 bounced, 0 unknown
        Rcpt Out Enormous: 8 delivered, 1 bounced, 0 unknown
        Data Out Reset: 8 delivered, 0 bounced, 1 unknown
        Data Out Close: 8 delivered, 0 bounced, 1 unknown
        Data Out Half: 8 delivered, 0 bounced, 1 unknown
        Data Out too late: 8 delivered, 0 bounced, 1 unknown
        Dot Out Reset: 8 delivered, 0 bounced, 1 unknown
        Dot Out Close: 8 delivered, 0 bounced, 1 unknown
        Dot Out Half: 8 delivered, 0 bounced, 1 unknown
        Dot Out too late: 8 delivered, 0 bounced, 1 unknown
        Dot Back Reset: 8 delivered, 0 bounced, 1 unknown
        Dot Back Close: 8 delivered, 0 bounced, 1 unknown
        Dot Back Half: 8 delivered, 0 bounced, 1 unknown
        Dot Back too late: 8 delivered, 0 bounced, 1 unknown
        Dot Back Garbage: 8 delivered, 0 bounced, 1 unknown
        Dot Back Enormous: 8 delivered, 0 bounced, 1 unknown
        Dot Back WrongCode: 8 delivered, 0 bounced, 1 unknown
    "#]]
}

fn at_once() -> Expect {
    expect![[r#"
        Mail Out Garbage: 8 delivered, 1 bounced, 0 unknown
        Mail Out Doubled: 8 delivered, 1 bounced, 0 unknown
        Mail Out BareLf: 8 delivered, 1 bounced, 0 unknown
        Mail Out Enormous: 8 delivered, 1 bounced, 0 unknown
        Rcpt Out Garbage: 8 delivered, 1 bounced, 0 unknown
        Rcpt Out BareLf: 8 delivered, 1 bounced, 0 unknown
        Rcpt Out Enormous: 8 delivered, 1 bounced, 0 unknown
        Rcpt Back Garbage: 9 delivered, 1 twice, 0 bounced, 0 unknown
        Rcpt Back WrongCode: 9 delivered, 1 twice, 0 bounced, 0 unknown
        Dot Back Reset: 9 delivered, 1 twice, 0 bounced, 0 unknown
        Dot Back Close: 9 delivered, 1 twice, 0 bounced, 0 unknown
        Dot Back Half: 9 delivered, 1 twice, 0 bounced, 0 unknown
        Dot Back too late: 9 delivered, 1 twice, 0 bounced, 0 unknown
        Dot Back Garbage: 9 delivered, 1 twice, 0 bounced, 0 unknown
        Dot Back Enormous: 9 delivered, 1 twice, 0 bounced, 0 unknown
        Dot Back WrongCode: 9 delivered, 1 twice, 0 bounced, 0 unknown
    "#]]
}

#[tokio::test(start_paused = true)]
async fn the_first_message_of_a_pipelined_connection() {
    check(Course { sent: Sent::Dotted, pipelining: true, message: 1 }, &dotted()).await;
}

#[tokio::test(start_paused = true)]
async fn a_later_message_of_a_pipelined_connection() {
    check(Course { sent: Sent::Dotted, pipelining: true, message: 2 }, &dotted()).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_message_without_pipelining() {
    check(Course { sent: Sent::Dotted, pipelining: false, message: 1 }, &dotted()).await;
}

#[tokio::test(start_paused = true)]
async fn a_later_message_without_pipelining() {
    check(Course { sent: Sent::Dotted, pipelining: false, message: 2 }, &dotted()).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_message_in_chunks() {
    check(Course { sent: Sent::Chunked, pipelining: true, message: 1 }, &chunked()).await;
}

#[tokio::test(start_paused = true)]
async fn a_later_message_in_chunks() {
    check(Course { sent: Sent::Chunked, pipelining: true, message: 2 }, &chunked()).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_message_in_chunks_without_pipelining() {
    check(Course { sent: Sent::Chunked, pipelining: false, message: 1 }, &chunked()).await;
}

#[tokio::test(start_paused = true)]
async fn a_later_message_in_chunks_without_pipelining() {
    check(Course { sent: Sent::Chunked, pipelining: false, message: 2 }, &chunked()).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_single_mail_of_a_connection() {
    check(Course { sent: Sent::AtOnce, pipelining: true, message: 1 }, &at_once()).await;
}

#[tokio::test(start_paused = true)]
async fn a_later_single_mail_of_a_connection() {
    check(Course { sent: Sent::AtOnce, pipelining: true, message: 2 }, &at_once()).await;
}
