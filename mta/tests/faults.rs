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

/// Within every time-out, and beyond every time-out.
const SLOW: Harm = Harm::Late(Duration::from_secs(30));
const TOO_LATE: Harm = Harm::Late(Duration::from_secs(3600));
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

/// What can go wrong with a record, a command, or anything else that passes.
fn harms(moment: Moment, way: Way) -> Vec<Harm> {
    let mut harms = match (moment, way) {
        (Moment::Greeting, Way::Out) | (Moment::Content, Way::Back) => return Vec::new(),
        _ => vec![Harm::Reset, Harm::Close, Harm::Half, SLOW, TOO_LATE],
    };
    match (moment, way) {
        (Moment::Content, _) => {}
        (Moment::Handshake | Moment::SecondHello, _) => harms.push(Harm::Garbage),
        // A dot that is none leaves the content open. Of a second one the server says that it is no command, and whether
        // that is read as the answer to the next command is a matter of time.
        (Moment::Dot, Way::Out) => {}
        (_, Way::Out) => harms.extend([Harm::Garbage, Harm::Doubled, Harm::BareLf, Harm::Enormous]),
        (_, Way::Back) => {
            harms.extend([Harm::Garbage, Harm::Doubled, Harm::BareLf, Harm::Enormous, Harm::WrongCode]);
        }
    }
    harms
}

fn faults(message: u32) -> Vec<Fault> {
    let mut faults = Vec::new();
    for moment in MOMENTS {
        for way in [Way::Out, Way::Back] {
            let of = |harm| Fault { moment, way, harm, message, times: 1 };
            faults.extend(harms(moment, way).into_iter().map(of));
        }
    }
    faults
}

fn needs_tls(moment: Moment) -> bool {
    matches!(moment, Moment::StartTls | Moment::Handshake | Moment::SecondHello)
}

/// Whether the fault leaves a client that has said its final dot without the answer to it.
fn leaves_in_doubt(fault: Fault) -> bool {
    let answered = match fault.harm {
        SLOW | Harm::BareLf => true,
        Harm::Doubled => fault.moment == Moment::Dot,
        Harm::WrongCode => fault.moment != Moment::Dot,
        _ => false,
    };
    // Two 354: the second one stands where the answer to the dot is read.
    let doubled_data = fault.moment == Moment::Data && fault.way == Way::Back && fault.harm == Harm::Doubled;
    (fault.moment == Moment::Dot && !answered) || doubled_data
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

/// A domain for each fault; says what became of whoever was not delivered.
async fn check(pipelining: bool, message: u32, expected: Expect) {
    let faults = faults(message);
    let domain = |n: usize, fault: &Fault| {
        let tls = if needs_tls(fault.moment) { Tls::Offered } else { Tls::None };
        let manners = Manners { tls, pipelining, ..Manners::default() };
        provider(&format!("line{n}"), u8::try_from(n + 1).unwrap(), manners)
    };
    let providers = faults.iter().enumerate().map(|(n, fault)| domain(n, fault)).collect();
    let more = "bulk_retry = [\"1m\"]\nconnections_per_lane = 1\nchunking = false\n";
    let mut voyage = Voyage::start_with(world(providers), more, SimOptions::default()).await;
    let lines: Vec<Arc<BadLine>> = faults.iter().map(|fault| Arc::new(BadLine::new(*fault))).collect();
    let mut all = Vec::new();
    for (n, (fault, line)) in faults.iter().zip(&lines).enumerate() {
        voyage.sim.dial.set_line(ip_of(n), line.clone());
        let prefix = if fault.moment == Moment::Content { "long-" } else { "fine-" };
        all.extend(people(prefix, &format!("line{n}.example"), RECIPIENTS));
    }
    voyage.launch(CAMPAIGN, all).await;
    voyage.until_done(Duration::from_secs(6 * 3600)).await;

    let mut endings: BTreeMap<usize, Vec<RecipientState>> = BTreeMap::new();
    for r in voyage.log().await {
        let n = r.address.split_once("@line").unwrap().1.trim_end_matches(".example").parse().unwrap();
        endings.entry(n).or_default().push(r.state);
    }
    let mut story = String::new();
    for (n, fault) in faults.iter().enumerate() {
        let count = |state| endings[&n].iter().filter(|ended| **ended == state).count();
        let (delivered, unknown) = (count(RecipientState::Delivered), count(RecipientState::Unknown));
        assert_eq!(lines[n].left(), 0, "{}: it never went wrong", name(*fault));
        assert_eq!(unknown, usize::from(leaves_in_doubt(*fault)), "{}: {:?}", name(*fault), endings[&n]);
        if !corrupts(*fault) {
            assert_eq!(delivered + unknown, RECIPIENTS, "{}: {:?}", name(*fault), endings[&n]);
        }
        if delivered < RECIPIENTS {
            let bounced = count(RecipientState::Bounced);
            story.push_str(&format!("{}: {delivered} delivered, {bounced} bounced, {unknown} unknown\n", name(*fault)));
        }
    }
    expected.assert_eq(&story);
    voyage.finish_on_bad_lines().await;
}

#[tokio::test(start_paused = true)]
async fn the_first_message_of_a_pipelined_connection() {
    check(
        true,
        1,
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
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_later_message_of_a_pipelined_connection() {
    check(
        true,
        2,
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
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_first_message_without_pipelining() {
    check(
        false,
        1,
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
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_later_message_without_pipelining() {
    check(
        false,
        2,
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
        "#]],
    )
    .await;
}
