//! A client on bad lines: what was answered with 250 is kept, and nothing is kept twice unless the client, having said
//! its final dot, never saw the answer.

use super::{House, LETTER, MAIL, PEER, SECRET, Session, Wire, house, sign_in};
use futures_util::future::join_all;
use sandbox::{BadLine, Fault, Harm, Moment, Way, interpose};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use storage::{MessageId, WorkspaceId, message};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio_util::sync::CancellationToken;
use world::Stream;

const HARMS: [Harm; 9] = [
    Harm::Reset,
    Harm::Close,
    Harm::Half,
    Harm::Late(Duration::from_millis(50)),
    Harm::Garbage,
    Harm::WrongCode,
    Harm::Doubled,
    Harm::BareLf,
    Harm::Enormous,
];
/// After a fault the line is good, so few tries are enough.
const TRIES_MAX: u32 = 4;
/// A client that hears nothing for so long gives up.
const PATIENCE: Duration = Duration::from_secs(2);

fn faults() -> Vec<Fault> {
    let moments = [Moment::Hello, Moment::Mail, Moment::Rcpt, Moment::Data, Moment::Dot, Moment::Quit];
    let of = |moment, way| HARMS.map(|harm| Fault { moment, way, harm, message: 1, times: 1 });
    let mut faults: Vec<Fault> =
        moments.into_iter().flat_map(|at| [of(at, Way::Out), of(at, Way::Back)].concat()).collect();
    faults.extend(of(Moment::Greeting, Way::Back));
    faults.extend(of(Moment::Content, Way::Out).into_iter().take(4));
    // A dot that is none leaves the content open for ever, and a code cannot be wrong where there is none.
    let unknown = |fault: &Fault| {
        let case = (fault.moment, fault.way, fault.harm);
        matches!(case, (Moment::Dot, Way::Out, Harm::Garbage | Harm::BareLf | Harm::Enormous))
            || matches!(case, (_, Way::Out, Harm::WrongCode))
    };
    faults.retain(|fault| !unknown(fault));
    faults
}

/// What a client saw of one try.
#[derive(Default)]
struct Seen {
    dot_said: bool,
    accepted: bool,
}

struct Client {
    io: BufReader<Box<dyn Stream>>,
    seen: Seen,
}

impl Client {
    /// Reads a reply, which must begin with this code.
    async fn hear(&mut self, code: &str) -> io::Result<()> {
        loop {
            let mut line = String::new();
            self.io.read_line(&mut line).await?;
            if !line.starts_with(code) || !line.ends_with('\n') {
                return Err(io::Error::other(format!("instead of {code}: {:?}", line.get(..80).unwrap_or(&line))));
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(());
            }
        }
    }

    async fn say(&mut self, words: &str, code: &str) -> io::Result<()> {
        self.io.write_all(words.as_bytes()).await?;
        self.io.flush().await?;
        self.hear(code).await
    }

    /// One whole transaction, one command at a time.
    async fn hand_in(&mut self, n: usize) -> io::Result<()> {
        self.hear("220").await?;
        let sign_in = sign_in(SECRET);
        let (hello, auth) = sign_in.split_once("\r\n").unwrap();
        self.say(&format!("{hello}\r\n"), "250").await?;
        self.say(auth, "235").await?;
        self.say(MAIL, "250").await?;
        self.say(&format!("RCPT TO:<r{n}@far.example>\r\n"), "250").await?;
        self.say("DATA\r\n", "354").await?;
        let letter = LETTER.replace("Subject: Hi", &format!("Subject: {n}"));
        self.seen.dot_said = true;
        self.say(&format!("{letter}.\r\n"), "250").await?;
        self.seen.accepted = true;
        self.say("QUIT\r\n", "221").await
    }
}

async fn try_once(house: &Arc<House>, line: &Arc<BadLine>, n: usize) -> Seen {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let house = house.clone();
    let server = tokio::spawn(async move {
        let mut session = Session::new(&house.submission, PEER);
        session.begin_tls();
        session.greet();
        // How it ends is the line's doing.
        let _ = session.converse(&mut Wire::new(far), &CancellationToken::new()).await;
    });
    let io = BufReader::new(interpose(Box::new(near), line.clone()));
    let mut client = Client { io, seen: Seen::default() };
    // An error ends the try; what was seen before it counts.
    let _ = tokio::time::timeout(PATIENCE, client.hand_in(n)).await;
    let seen = client.seen;
    drop(client.io);
    server.await.unwrap();
    seen
}

/// Hands in until it is accepted; how often the answer to the final dot stayed away.
async fn until_accepted(house: &Arc<House>, fault: Fault, n: usize) -> usize {
    let line = Arc::new(BadLine::new(fault));
    let mut in_doubt = 0;
    for _ in 0..TRIES_MAX {
        let seen = try_once(house, &line, n).await;
        if seen.accepted {
            assert_eq!(line.left(), 0, "{fault:?} never happened");
            return in_doubt;
        }
        in_doubt += usize::from(seen.dot_said);
    }
    panic!("{fault:?}: never accepted");
}

#[tokio::test]
async fn what_is_answered_is_kept_and_nothing_twice_without_doubt() {
    let (house, faults) = (Arc::new(house("", None).await), faults());
    let doubts = join_all(faults.iter().enumerate().map(|(n, fault)| until_accepted(&house, *fault, n))).await;
    let mut kept: BTreeMap<usize, usize> = BTreeMap::new();
    for id in 1.. {
        let found = house.submission.storage.read(move |c| message::find(c, WorkspaceId::MAIN, MessageId(id))).await;
        let Some(found) = found.unwrap() else { break };
        *kept.entry(found.subject.parse().unwrap()).or_default() += 1;
    }
    let mut twice = 0;
    for (n, fault) in faults.iter().enumerate() {
        let copies = kept.get(&n).copied().unwrap_or(0);
        assert!((1..=1 + doubts[n]).contains(&copies), "{fault:?}: {copies} copies, {} doubts", doubts[n]);
        twice += usize::from(copies > 1);
    }
    // The answer was lost on its way back: no server can prevent that.
    assert!((1..12).contains(&twice), "{twice}");
}
